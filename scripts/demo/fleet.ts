/** The trainer and the agents of the demo, as processes, and what they say of themselves. */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { AgentStatus } from '@freshet/edge-agent/control/agent-control';
import type { VerifyReport } from '@freshet/edge-agent/store/verify';
import { FreshetError } from '@freshet/protocol/errors';
import { HttpClient } from '@freshet/protocol/local/http-client';
import { RuntimeFile } from '@freshet/protocol/local/runtime-file';
import { makeStateDirectory } from '@freshet/protocol/local/state-directory';
import type { TrainerStatus } from '@freshet/trainer/service/status';
import { Child, runCommand } from './child.ts';

/** Agents report to the hub this often, so that its own table is as fresh as ours. */
const HEARTBEAT_MS = 1000;

/** A process that ends closes its port first: for so long a failure to reach it may have this better reason. */
const DEATH_GRACE_MS = 2000;

export interface FleetOptions {
  readonly stateDirectory: string;
  /** Whether the directory goes when the fleet has ended. */
  readonly isTemporary: boolean;
  readonly agentCount: number;
  /** Agents take the ports from 101 above it; null: whatever is free. */
  readonly trainerPort: number | null;
  readonly trainerArguments: readonly string[];
}

export interface AgentHandle {
  readonly name: string;
  readonly url: string;
  readonly stateDirectory: string;
  readonly client: HttpClient;
}

export class Fleet {
  readonly #options: FleetOptions;
  readonly #children: Child[] = [];
  readonly #death = Promise.withResolvers<never>();
  #isStopping = false;
  #trainer: HttpClient | null = null;
  agents: readonly AgentHandle[] = [];

  constructor(options: FleetOptions) {
    this.#options = options;
    // It matters only to those who wait for something meanwhile.
    this.#death.promise.catch(() => undefined);
  }

  /** Starts everything. @throws UNREACHABLE with the reason when a process cannot start */
  async start(): Promise<void> {
    const { stateDirectory, agentCount, trainerPort, trainerArguments } = this.#options;
    const trainerState = join(stateDirectory, 'trainer');
    const port = trainerPort ?? 0;
    const trainerUrl = await this.#launch('the trainer', 'freshet', trainerState, [
      ...['start', '--port', String(port)],
      ...['--heartbeat-ms', String(HEARTBEAT_MS), ...trainerArguments],
    ]);
    this.#trainer = clientOf(trainerState, 'trainer');
    const hubUrl = trainerUrl.replace(/^http/, 'ws');
    const starting = Array.from({ length: agentCount }, async (_, i): Promise<AgentHandle> => {
      const name = `agent-${i + 1}`;
      const agentState = join(stateDirectory, name);
      const httpPort = trainerPort === null ? 0 : trainerPort + 101 + i;
      const url = await this.#launch(name, 'freshet-agent', agentState, [
        ...['run', '--id', name],
        ...['--hub', hubUrl, '--http-port', String(httpPort)],
      ]);
      return { name, url, stateDirectory: agentState, client: clientOf(agentState, 'agent') };
    });
    this.agents = await Promise.all(starting);
  }

  async trainerStatus(): Promise<TrainerStatus> {
    return (await this.trainerGet('/status')) as TrainerStatus;
  }

  /** @throws UNREACHABLE when a process of the fleet has ended */
  async trainerGet(path: string): Promise<unknown> {
    const client = this.#trainer;
    if (client === null) throw new TypeError('the fleet has been started');
    return this.orDeath(client.call('GET', `/api/v1${path}`));
  }

  async agentStatus({ client }: AgentHandle): Promise<AgentStatus> {
    return (await this.orDeath(client.call('GET', '/admin/v1/status'))) as AgentStatus;
  }

  /** Derives all versions on the device of `agent` anew and checks them. */
  async agentVerification({ client }: AgentHandle): Promise<VerifyReport> {
    return (await this.orDeath(client.call('POST', '/admin/v1/verify'))) as VerifyReport;
  }

  /** Runs `freshet-agent` on the device of `agent`; resolves with the JSON that it prints. */
  async agentCommand({ stateDirectory }: AgentHandle, args: readonly string[]): Promise<unknown> {
    return JSON.parse(await runCommand('freshet-agent', [...args, '--json', '--state', stateDirectory]));
  }

  /** `work`, or the rejection that says which process of the fleet has ended meanwhile. */
  async orDeath<Result>(work: Promise<Result>): Promise<Result> {
    try {
      return await Promise.race([work, this.#death.promise]);
    } catch (error) {
      if (!this.#isStopping) await Promise.race([this.#death.promise, delay(DEATH_GRACE_MS)]);
      throw error;
    }
  }

  /** Ends all processes, agents first, so that their last words reach the hub. None is started from then on. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    const [trainer, ...agents] = this.#children;
    await Promise.all(agents.map((agent) => agent.stop()));
    await trainer?.stop();
  }

  async #launch(
    name: string,
    program: 'freshet' | 'freshet-agent',
    childState: string,
    args: readonly string[],
  ): Promise<string> {
    // Whoever waits for it has been told to stop waiting.
    if (this.#isStopping) return new Promise(() => undefined);
    const { stateDirectory, isTemporary } = this.#options;
    makeStateDirectory(stateDirectory);
    const child = new Child({
      name,
      program,
      args: [...args, '--json', '--state', childState],
      logPath: `${childState}.log`,
      isLogKept: !isTemporary,
      onDeath: (error) => this.#death.reject(error),
    });
    this.#children.push(child);
    return this.orDeath(child.url());
  }
}

function clientOf(stateDirectory: string, kind: 'agent' | 'trainer'): HttpClient {
  const record = new RuntimeFile(stateDirectory, kind).read();
  if (record === null) throw new FreshetError('UNREACHABLE', `no ${kind} runs on ${stateDirectory}`);
  return new HttpClient(record);
}
