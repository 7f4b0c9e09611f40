/**
 * The agent's control API for the commands on the same device. Every request carries the token of
 * the runtime file; a port that is open to others gives nothing away.
 */
import { FreshetError } from '@freshet/protocol/errors';
import { carriesToken } from '@freshet/protocol/local/bearer-token';
import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import * as v from 'valibot';
import type { DeviceControl } from './agent-control.ts';

const BODY_BYTES_MAX = 4096;

const count = v.pipe(v.number(), v.integer(), v.minValue(1));

export const rollbackSchema = v.variant('kind', [
  v.strictObject({ kind: v.literal('version'), version: count }),
  v.strictObject({ kind: v.literal('back'), count }),
  v.strictObject({ kind: v.literal('head') }),
]);

export function controlApp(control: DeviceControl, adminToken: string): Hono {
  const app = new Hono();
  app.use(async (context, next) => {
    if (!carriesToken(context.req.header('authorization'), adminToken)) {
      return context.json(
        { error: 'the admin token of the runtime file is needed', code: 'CONFIG_INVALID' },
        401,
      );
    }
    return next();
  });
  app.use(bodyLimit({ maxSize: BODY_BYTES_MAX }));
  app.onError((error, context) => {
    if (!(error instanceof FreshetError)) throw error;
    return context.json({ error: error.message, code: error.code }, statusOf(error));
  });
  app.get('/status', async (context) => context.json(await control.status()));
  app.get('/versions', async (context) => context.json(await control.versions()));
  app.get('/feedback', async (context) => context.json(await control.feedback()));
  app.post('/verify', async (context) => context.json(await control.verify()));
  app.post('/rollback', async (context) => {
    const parsed = v.safeParse(rollbackSchema, await context.req.json().catch(() => null));
    if (!parsed.success)
      throw new FreshetError('CONFIG_INVALID', `roll-back request: ${v.summarize(parsed.issues)}`);
    return context.json(await control.rollback(parsed.output));
  });
  return app;
}

function statusOf(error: FreshetError): ContentfulStatusCode {
  switch (error.code) {
    case 'CONFIG_INVALID':
      return 400;
    case 'VERSION_UNKNOWN':
      return 404;
    case 'VERSION_QUARANTINED':
      return 409;
    default:
      return 500;
  }
}
