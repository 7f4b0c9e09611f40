/**
 * The trainer's HTTP API: health, metrics, what the hub knows, and orders to agents. Reading is open to whoever
 * reaches the port; what changes a device, or costs much work, needs the admin token.
 */
import { type ErrorCode, FreshetError } from '@freshet/protocol/errors';
import { carriesToken } from '@freshet/protocol/local/bearer-token';
import { SAMPLES_PATH } from '@freshet/protocol/local/samples-api';
import type { Context } from 'hono';
import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import type { Logger } from 'pino';
import { savingsOf, totalSavings } from '../core/savings.ts';
import type { SampleInbox } from '../history/sample-log/sample-inbox.ts';
import type { VersionLog } from '../history/version-log.ts';
import type { Hub } from '../hub/hub.ts';
import { type PlanAnswer, planAnswer } from './plan-answer.ts';
import { readCommandId, readPage, readPlan, readRollback } from './request-schemas.ts';
import { addSamplesRoute } from './samples-route.ts';
import type { TrainerMetrics } from './trainer-metrics.ts';
import type {
  AgentsAnswer,
  RollbackAnswer,
  SavingsAnswer,
  TrainerStatus,
  VersionsAnswer,
} from './trainer-status.ts';

export interface AdminAppOptions<Learner> {
  readonly log: VersionLog;
  readonly hub: Hub;
  readonly metrics: TrainerMetrics;
  /** How the learner is doing, as an object that JSON can carry. */
  readonly learner: () => Learner;
  /** Where samples of clients go; null before the learner has said what one looks like. */
  readonly inbox: () => SampleInbox | null;
  /** Not empty. */
  readonly adminToken: string;
  readonly logger: Logger;
}

const BODY_BYTES_MAX = 1024 * 1024;

/** Of codes that are the caller's doing, or pass by themselves. */
const STATUS_OF_CODE: Partial<Record<ErrorCode, 400 | 404 | 503>> = {
  INPUT_INVALID: 400,
  VERSION_UNKNOWN: 404,
  NOT_READY: 503,
};

export function adminApp<Learner>(options: AdminAppOptions<Learner>): Hono {
  const app = new Hono();
  app.onError((error, context) => answerError(error, context, options.logger));
  app.notFound((context) => context.json(failure(`there is nothing at ${context.req.path}`), 404));
  addProbes(app, options);
  addReading(app, options);
  addOrders(app, options);
  return app;
}

function addProbes<Learner>(app: Hono, { log, metrics }: AdminAppOptions<Learner>): void {
  app.get('/healthz', (context) => context.json({ status: 'ok' }));
  app.get('/readyz', (context) => {
    if (log.head() !== null) return context.json({ status: 'ready' });
    return context.json({ error: 'there is no version yet', code: 'NOT_READY' }, 503);
  });
  app.get('/metrics', async (context) =>
    context.body(await metrics.scrape(), 200, { 'Content-Type': metrics.contentType }),
  );
}

function addReading<Learner>(app: Hono, { log, hub, learner }: AdminAppOptions<Learner>): void {
  app.get('/api/v1/status', (context) => {
    const model = log.model();
    const status: TrainerStatus<Learner> = {
      lineId: log.lineId,
      publisherKey: hub.publisherKey,
      modelId: model?.modelId ?? null,
      modelDigest: model?.digest ?? null,
      fullModelBytes: model?.fileBytes ?? null,
      head: log.head(),
      learner: learner(),
      feedback: hub.counts().feedback,
      agents: hub.agents(),
    };
    return context.json(status);
  });
  app.get('/api/v1/versions', (context) => {
    const { limit, before } = readPage(context.req.query());
    return context.json({ versions: log.versions(limit, before) } satisfies VersionsAnswer);
  });
  app.get('/api/v1/agents', (context) => {
    return context.json({ agents: hub.agents() } satisfies AgentsAnswer);
  });
  app.get('/api/v1/savings', (context) => {
    const agents = hub.agents();
    return context.json({
      total: totalSavings(agents),
      agents: agents.map((agent) => ({ agentId: agent.agentId, ...savingsOf(agent) })),
    } satisfies SavingsAnswer);
  });
  app.get('/api/v1/commands/:id', (context) => {
    const command = log.commands.find(readCommandId(context.req.param()));
    if (command === null) return context.json(failure('no command has this id'), 404);
    return context.json(command);
  });
}

/** What changes devices or the model, and what keeps the hub busy: for those with the token. */
function addOrders<Learner>(app: Hono, { hub, log, inbox, adminToken }: AdminAppOptions<Learner>): void {
  for (const path of ['/api/v1/rollback', '/api/v1/plan', SAMPLES_PATH]) {
    app.use(path, async (context, next) => {
      if (carriesToken(context.req.header('authorization'), adminToken)) return next();
      const error = 'send the admin token of the trainer as "Authorization: Bearer <token>"';
      return context.json({ error, code: 'CONFIG_INVALID' }, 401, { 'WWW-Authenticate': 'Bearer' });
    });
  }
  app.get('/api/v1/plan', async (context) =>
    context.json((await planAnswer(hub, log, readPlan(context.req.query()))) satisfies PlanAnswer),
  );
  addSamplesRoute(app, inbox);
  const limitBody = bodyLimit({
    maxSize: BODY_BYTES_MAX,
    onError: (context) => context.json(failure(`the body is larger than ${BODY_BYTES_MAX} bytes`), 413),
  });
  app.post('/api/v1/rollback', limitBody, async (context) => {
    const { version, agents } = readRollback(await context.req.text());
    const outcome =
      version === 'head'
        ? hub.enqueueCommand(agents ?? 'all', 'follow', null)
        : hub.enqueueCommand(agents ?? 'all', 'pin', version);
    switch (outcome.kind) {
      case 'enqueued':
        return context.json({ commands: outcome.commands } satisfies RollbackAnswer);
      case 'agent-unknown':
        return context.json(
          failure(`agents: no agent is called ${outcome.agentId}; see \`freshet status\``),
          404,
        );
      case 'version-unknown': {
        const error = `version: ${outcome.version} is not in the log; see \`freshet versions\``;
        return context.json({ error, code: 'VERSION_UNKNOWN' }, 404);
      }
    }
  });
}

function answerError(error: Error, context: Context, logger: Logger): Response {
  if (error instanceof FreshetError) {
    return context.json({ error: error.message, code: error.code }, STATUS_OF_CODE[error.code] ?? 500);
  }
  logger.error({ err: error, path: context.req.path }, 'request failed');
  return context.json({ error: 'this is a bug in Freshet; the log of the trainer says more' }, 500);
}

function failure(error: string): { error: string; code: 'INPUT_INVALID' } {
  return { error, code: 'INPUT_INVALID' };
}
