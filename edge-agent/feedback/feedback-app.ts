/**
 * POST /v1/feedback: labelled samples for the trainer. It answers 202 once they are on disk, whether or not there is a
 * connection to the hub; 400 with the reason for each sample that is refused; 429 with Retry-After while the queue is
 * full; 503 before a hub has said what a sample looks like. A request is taken as a whole or not at all. It carries the
 * token of the runtime file: who may feed a device may teach the model of all.
 */
import { type ErrorCode, FreshetError } from '@freshet/protocol/errors';
import { carriesToken } from '@freshet/protocol/local/bearer-token';
import {
  FEEDBACK_PATH,
  SAMPLES_BODY_BYTES_MAX,
  type SamplesRefusal,
} from '@freshet/protocol/local/samples-api';
import { BODY_TYPES_HINT, type BodyType, bodyTypeOf } from '@freshet/protocol/local/samples-request';
import { type Context, Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import type { TakeOutcome } from './take-samples.ts';

/** A batch that the hub takes makes room in this time. */
const RETRY_AFTER_SECONDS = '1';

/** Of codes that are the caller's doing. */
const STATUS_OF_CODE: Partial<Record<ErrorCode, 400>> = { INPUT_INVALID: 400 };

/** `take`: as `takeSamples`, of the device. */
export function feedbackApp(
  take: (body: Uint8Array, type: BodyType) => TakeOutcome,
  adminToken: string,
): Hono {
  const app = new Hono();
  const limitBody = bodyLimit({
    maxSize: SAMPLES_BODY_BYTES_MAX,
    onError: (context) => {
      const error = `the body is larger than ${SAMPLES_BODY_BYTES_MAX} bytes: send fewer samples at a time`;
      return refuse(context, 413, { error, code: 'INPUT_INVALID' });
    },
  });
  app.use(FEEDBACK_PATH, async (context, next) => {
    if (carriesToken(context.req.header('authorization'), adminToken)) return next();
    const error = 'send the admin token of the runtime file as "Authorization: Bearer <token>"';
    context.header('WWW-Authenticate', 'Bearer');
    return refuse(context, 401, { error, code: 'CONFIG_INVALID' });
  });
  app.post(FEEDBACK_PATH, limitBody, async (context) => {
    const type = bodyTypeOf(context.req.header('content-type'));
    if (type === null) {
      return refuse(context, 415, { error: BODY_TYPES_HINT, code: 'INPUT_INVALID' });
    }
    return answer(context, take(await bodyOf(context), type));
  });
  app.onError((error, context) => {
    if (!(error instanceof FreshetError)) throw error;
    return refuse(context, STATUS_OF_CODE[error.code] ?? 500, { error: error.message, code: error.code });
  });
  return app;
}

function answer(context: Context, outcome: TakeOutcome): Response {
  switch (outcome.kind) {
    case 'taken':
      return context.json(outcome.answer, 202);
    case 'refused':
      return refuse(context, 400, outcome.refusal);
    case 'full':
      context.header('Retry-After', RETRY_AFTER_SECONDS);
      return refuse(context, 429, outcome.refusal);
    case 'unready':
      context.header('Retry-After', RETRY_AFTER_SECONDS);
      return refuse(context, 503, outcome.refusal);
  }
}

async function bodyOf(context: Context): Promise<Uint8Array> {
  try {
    return new Uint8Array(await context.req.arrayBuffer());
  } catch (cause) {
    throw new FreshetError('INPUT_INVALID', 'the body broke off', { cause });
  }
}

function refuse(
  context: Context,
  status: 400 | 401 | 413 | 415 | 429 | 500 | 503,
  refusal: SamplesRefusal,
): Response {
  return context.json(refusal, status);
}
