/**
 * A real trainer and real agents as processes, in a temporary directory, on free ports: what the end-to-end tests work
 * with. At the end of the test all processes are ended and the directory is removed.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { TestContext } from 'node:test';
import type { AgentStatus } from '@freshet/edge-agent/control/agent-control';
import { HttpClient } from '@freshet/protocol/local/http-client';
import type { RuntimeRecord } from '@freshet/protocol/local/runtime-file';
import type { TrainerStatus } from '@freshet/trainer/service/status';
import { until } from './until.ts';

const ROOT = join(import.meta.dirname, '../..');

const PROGRAMS = {
  freshet: join(ROOT, 'trainer/bin/freshet.js'),
  'freshet-agent': join(ROOT, 'edge-agent/bin/freshet-agent.js'),
};

/** Small steps, so that versions come fast. */
const QUICK_TRAINING = [
  ...['--initial', '256', '--initial-epochs', '1', '--batch', '16', '--fresh', '4'],
  ...['--publish-every', '1', '--heartbeat-ms', '100', '--seed', '7'],
];

export interface CommandOutcome {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command to its end. */
export async function runCommand(
  program: keyof typeof PROGRAMS,
  args: readonly string[],
  options: { readonly stdin?: string; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<CommandOutcome> {
  const child = spawn(process.execPath, [PROGRAMS[program], ...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...options.env },
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  // A command that does not read its stdin may be gone before it is written.
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.stdin ?? '');
  const { promise, resolve } = Promise.withResolvers<number | null>();
  child.once('close', resolve);
  return { exitCode: await promise, stdout, stderr };
}

/** A service of ours that runs until it is ended. */
export class Service {
  readonly #child: ChildProcess;
  readonly #exited: Promise<void>;
  readonly url: string;
  readonly pid: number;
  readonly stateDirectory: string;
  readonly client: HttpClient;

  static async start(
    program: keyof typeof PROGRAMS,
    args: readonly string[],
    stateDirectory: string,
  ): Promise<Service> {
    const child = spawn(process.execPath, [PROGRAMS[program], ...args, '--json', '--state', stateDirectory], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stderr = '';
    child.stderr.on('data', (chunk) => {
      stderr += chunk;
    });
    const { promise, resolve, reject } = Promise.withResolvers<{ url: string; pid: number }>();
    createInterface(child.stdout).once('line', (line) =>
      resolve(JSON.parse(line) as { url: string; pid: number }),
    );
    child.once('exit', (exitCode) =>
      reject(new Error(`${program} ended with ${exitCode} before it was up: ${stderr}`)),
    );
    const { url, pid } = await promise;
    return new Service(program, child, url, pid, stateDirectory);
  }

  private constructor(
    program: keyof typeof PROGRAMS,
    child: ChildProcess,
    url: string,
    pid: number,
    stateDirectory: string,
  ) {
    this.#child = child;
    this.url = url;
    this.pid = pid;
    this.stateDirectory = stateDirectory;
    const record = program === 'freshet' ? 'trainer.json' : 'agent.json';
    const path = join(stateDirectory, record);
    this.client = new HttpClient(JSON.parse(readFileSync(path, 'utf8')) as RuntimeRecord);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#exited = promise;
    child.once('exit', () => resolve());
  }

  /** Ends it with `signal` and waits until it is gone. */
  async end(signal: NodeJS.Signals): Promise<void> {
    this.#child.kill(signal);
    await this.#exited;
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }
}

export class System {
  readonly directory = mkdtempSync(join(tmpdir(), 'freshet-e2e-'));
  readonly #services: Service[] = [];

  /** Ends with the test. */
  constructor(test: TestContext) {
    test.after(() => this.#end());
  }

  /** `args` are added to those of a quick training; `port` is one that a trainer had before. */
  async startTrainer(args: readonly string[], port = 0): Promise<Service> {
    const all = ['start', ...QUICK_TRAINING, '--port', String(port), ...args];
    return this.#keep(await Service.start('freshet', all, join(this.directory, 'trainer')));
  }

  /** `hubUrl`: of the trainer, or of something in between. */
  async startAgent(name: string, hubUrl: string, args: readonly string[] = []): Promise<Service> {
    const hub = hubUrl.replace(/^http/, 'ws');
    const all = ['run', '--id', name, '--hub', hub, '--http-port', '0', ...args];
    return this.#keep(await Service.start('freshet-agent', all, join(this.directory, name)));
  }

  #keep(service: Service): Service {
    this.#services.push(service);
    return service;
  }

  async #end(): Promise<void> {
    const running = this.#services.filter((service) => service.isRunning);
    await Promise.all(running.map((service) => service.end('SIGTERM')));
    rmSync(this.directory, { recursive: true, force: true });
  }
}

export async function trainerStatus(trainer: Service): Promise<TrainerStatus> {
  return (await trainer.client.call('GET', '/api/v1/status')) as TrainerStatus;
}

export async function agentStatus(agent: Service): Promise<AgentStatus> {
  return (await agent.client.call('GET', '/admin/v1/status')) as AgentStatus;
}

/** Waits until the bounded run of `trainer` is over; resolves with its last status. */
export function untilFinished(trainer: Service): Promise<TrainerStatus> {
  return until('training has finished', async () => {
    const status = await trainerStatus(trainer);
    if (status.learner.failure !== null) throw new Error(status.learner.failure.message);
    return status.learner.state === 'finished' && status;
  });
}

/** Waits until `agent` serves the very version and root that the finished `trainer` has as its head. */
export async function untilFresh(agent: Service, trainer: Service): Promise<AgentStatus> {
  const { head } = await untilFinished(trainer);
  return until(`the agent serves version ${head?.version}`, async () => {
    const status = await agentStatus(agent);
    return status.served?.version === head?.version && status.served?.root === head?.root && status;
  });
}

/** Waits until `agent` has stored and serves at least `version`. */
export function untilServes(agent: Service, version: number): Promise<AgentStatus> {
  return until(`the agent serves version ${version}`, async () => {
    const status = await agentStatus(agent);
    return status.served !== null && status.served.version >= version && status;
  });
}
