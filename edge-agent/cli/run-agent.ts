/** What `freshet-agent run` does: the agent in the foreground, until SIGINT or SIGTERM. */
import type { AgentId } from '@freshet/protocol/ids';
import { untilAskedToEnd } from '@freshet/protocol/local/shutdown';
import { pino } from 'pino';
import { startAgentService } from '../agent/agent-service.ts';
import type { RunOptions } from './run.ts';

/** Resolves when the agent has ended in order. @throws FreshetError when it cannot start */
export async function runAgent(agentId: AgentId, options: RunOptions): Promise<void> {
  const log = pino(
    { level: options.logLevel, base: { agent: agentId } },
    pino.destination({ dest: 2, sync: true }),
  );
  const service = await startAgentService({
    agentId,
    stateDirectory: options.state,
    hubUrl: options.hub,
    httpHost: options.httpHost,
    httpPort: options.httpPort,
    keepVersions: options.keepVersions,
    publisherKey: options.publisherKey ?? null,
    feedbackLimits: { samplesMax: options.feedbackLimit, bytesMax: options.feedbackMib * 1024 ** 2 },
    log,
  });
  log.info({ url: service.url, state: options.state }, 'serving');
  if (options.json) process.stdout.write(`${JSON.stringify({ url: service.url, pid: process.pid })}\n`);
  await untilAskedToEnd();
  await service.close();
}
