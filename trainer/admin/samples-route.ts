/**
 * POST /api/v1/samples: labelled samples for the stream. It answers 200 once they are on disk; 400 with the reason for
 * each sample that is refused; 429 with Retry-After while too many wait to be trained on. A request is taken as a whole
 * or not at all. The caller guards the path with the admin token.
 */
import { FreshetError } from '@freshet/protocol/errors';
import {
  type RefusedSample,
  SAMPLES_BODY_BYTES_MAX,
  SAMPLES_PATH,
  SAMPLES_PER_REQUEST_MAX,
  type SamplesAnswer,
  type SamplesRefusal,
} from '@freshet/protocol/local/samples-api';
import { BODY_TYPES_HINT, bodyTypeOf, readSamples } from '@freshet/protocol/local/samples-request';
import type { Context, Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import type { SampleInbox } from '../history/sample-log/sample-inbox.ts';

/** The learner takes some steps in this time; whoever asks sooner than it frees a place asks in vain. */
const RETRY_AFTER_SECONDS = '1';

/** Under which ids of clients are unique: devices have each their own. */
const HTTP_ORIGIN = 'http';

/** `inbox`: null before the learner has said what a sample looks like. */
export function addSamplesRoute(app: Hono, inbox: () => SampleInbox | null): void {
  const limitBody = bodyLimit({
    maxSize: SAMPLES_BODY_BYTES_MAX,
    onError: (context) => {
      const error = `the body is larger than ${SAMPLES_BODY_BYTES_MAX} bytes: send fewer samples at a time`;
      return refuse(context, 413, { error, code: 'INPUT_INVALID' });
    },
  });
  app.post(SAMPLES_PATH, limitBody, async (context) => {
    const type = bodyTypeOf(context.req.header('content-type'));
    if (type === null) {
      return refuse(context, 415, { error: BODY_TYPES_HINT, code: 'INPUT_INVALID' });
    }
    const body = new Uint8Array(await bodyOf(context));
    // Asked for only now: it may have been closed while the body came in.
    const open = inbox();
    if (open === null) {
      return refuseForNow(
        context,
        503,
        'the learner has not said yet what a sample looks like; try again soon',
      );
    }
    const countMax = Math.min(SAMPLES_PER_REQUEST_MAX, open.capacity.waitingMax);
    const request = readSamples(body, type, open.format, countMax);
    if (request.kind === 'refused') {
      const { refused } = request;
      return refuse(context, 400, { error: describe(refused), code: 'INPUT_INVALID', refused });
    }
    return take(context, open, request.samples);
  });
}

function take(context: Context, inbox: SampleInbox, samples: Parameters<SampleInbox['append']>[0]): Response {
  try {
    const outcome = inbox.append(samples, HTTP_ORIGIN);
    if (outcome.kind === 'taken') {
      const { taken, duplicates, waiting } = outcome;
      return context.json({ taken, duplicates, waiting } satisfies SamplesAnswer);
    }
    const error = `${outcome.waiting} samples wait to be trained on: none of these was taken, send them again later`;
    return refuseForNow(context, 429, error);
  } catch (error) {
    if (!(error instanceof FreshetError) || error.code !== 'STORE_LOCKED') throw error;
    return refuseForNow(context, 503, `${error.message}; none of these samples was taken`);
  }
}

async function bodyOf(context: Context): Promise<ArrayBuffer> {
  try {
    return await context.req.arrayBuffer();
  } catch (cause) {
    throw new FreshetError('INPUT_INVALID', 'the body broke off', { cause });
  }
}

/** The first in words; the others are in the list. */
function describe(refused: readonly RefusedSample[]): string {
  const [{ index, field, reason }] = refused as readonly [RefusedSample, ...RefusedSample[]];
  const others = refused.length === 1 ? '' : `, and ${refused.length - 1} more samples are refused`;
  return `sample ${index}: ${field} ${reason}${others}; none was taken`;
}

function refuse(context: Context, status: 400 | 413 | 415, refusal: SamplesRefusal): Response {
  return context.json(refusal, status);
}

function refuseForNow(context: Context, status: 429 | 503, error: string): Response {
  const refusal: SamplesRefusal = { error, code: 'NOT_READY' };
  return context.json(refusal, status, { 'Retry-After': RETRY_AFTER_SECONDS });
}
