/**
 * The agent as a service on this machine: its HTTP port, its state directory and its runtime file around an `Agent`.
 */
import { join } from 'node:path';
import { startHttpServer, startingUp } from '@freshet/protocol/local/http-server';
import { drawAdminToken, RuntimeFile } from '@freshet/protocol/local/runtime-file';
import { makeStateDirectory } from '@freshet/protocol/local/state-directory';
import { Hono } from 'hono';
import { CONTROL_PATH } from '../control/agent-control.ts';
import { controlApp } from '../control/control-app.ts';
import { LocalControl } from '../control/local-control.ts';
import { feedbackApp } from '../feedback/feedback-app.ts';
import { syncUrlOf } from '../link/hub-link.ts';
import { metricsApp } from '../serve/metrics.ts';
import { OIP_LIMIT_DEFAULTS, oipApp } from '../serve/oip-app.ts';
import { SOFTWARE_NAME, SOFTWARE_VERSION } from '../version.ts';
import { Agent, type AgentOptions } from './agent.ts';
import { inferenceService } from './inference-service.ts';

const CLOSE_GRACE_MS = 5_000;

export interface AgentServiceOptions extends Omit<AgentOptions, 'storePath' | 'syncUrl'> {
  readonly stateDirectory: string;
  readonly httpHost: string;
  /** 0 lets the system choose. */
  readonly httpPort: number;
}

export interface AgentService {
  readonly url: string;
  close(): Promise<void>;
}

/**
 * Starts the agent. Its options are checked and the port is taken before anything is written, so that a wrong one
 * leaves no trace.
 * @throws ADDRESS_IN_USE, CONFIG_INVALID, STORE_*
 */
export async function startAgentService(options: AgentServiceOptions): Promise<AgentService> {
  const { stateDirectory, log } = options;
  const syncUrl = syncUrlOf(options.hubUrl);
  let answer = startingUp;
  const http = await startHttpServer({
    fetch: (request, env) => answer(request, env),
    host: options.httpHost,
    port: options.httpPort,
    hostFlag: '--http-host',
    portFlag: '--http-port',
    closeGraceMs: CLOSE_GRACE_MS,
  });
  let agent: Agent;
  try {
    makeStateDirectory(stateDirectory);
    agent = new Agent({ ...options, syncUrl, storePath: join(stateDirectory, 'weights.db') });
  } catch (error) {
    await http.close();
    throw error;
  }
  const adminToken = drawAdminToken();
  answer = agentApp(agent, http.url, adminToken, log).fetch;
  const runtimeFile = new RuntimeFile(stateDirectory, 'agent');
  let closing: Promise<void> | null = null;
  const close = async () => {
    runtimeFile.remove();
    await http.close();
    await agent.close();
  };
  const closeOnce = () => {
    closing ??= close();
    return closing;
  };
  try {
    runtimeFile.write({ pid: process.pid, url: http.url, adminToken });
    await agent.start();
  } catch (error) {
    await closeOnce();
    throw error;
  }
  return { url: http.url, close: closeOnce };
}

function agentApp(agent: Agent, url: string, adminToken: string, log: AgentOptions['log']): Hono {
  const { metrics } = agent;
  return new Hono()
    .route(CONTROL_PATH, controlApp(new LocalControl(agent, url), adminToken))
    .route('/', metricsApp(metrics))
    .route(
      '/',
      feedbackApp((body, type) => agent.takeSamples(body, type), adminToken),
    )
    .route(
      '/',
      oipApp(inferenceService(agent), {
        ...OIP_LIMIT_DEFAULTS,
        serverName: SOFTWARE_NAME,
        serverVersion: SOFTWARE_VERSION,
        onInference: (httpStatus, seconds) => {
          metrics.inferenceRequests.inc({ code: httpStatus });
          metrics.inferenceDuration.observe(seconds);
        },
        onBug: (error) => log.error({ err: error }, 'a request failed because of a bug in Freshet'),
      }),
    );
}
