/** One process of ours: started through its command line, spoken to over HTTP, ended with SIGTERM. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { FreshetError } from '@freshet/protocol/errors';

const ROOT = join(import.meta.dirname, '../..');
const STOP_TIMEOUT_MS = 40_000;

const PROGRAMS = {
  freshet: join(ROOT, 'trainer/bin/freshet.js'),
  'freshet-agent': join(ROOT, 'edge-agent/bin/freshet-agent.js'),
};

export type Program = keyof typeof PROGRAMS;

/** Runs a command to its end; resolves with what it printed. @throws when it exits with anything but 0 */
export async function runCommand(program: Program, args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [PROGRAMS[program], ...args]);
  return stdout;
}

export interface ChildOptions {
  /** For messages. */
  readonly name: string;
  readonly program: Program;
  readonly args: readonly string[];
  /** Where its stderr goes. */
  readonly logPath: string;
  /** Whether a person will find the log there later. */
  readonly isLogKept: boolean;
  /** Called if it ends unasked. */
  readonly onDeath: (error: FreshetError) => void;
}

export class Child {
  readonly #options: ChildOptions;
  readonly #process: ChildProcess;
  readonly #exited: Promise<void>;
  #stopping = false;

  constructor(options: ChildOptions) {
    this.#options = options;
    const { program, args, logPath, onDeath } = options;
    const log = openSync(logPath, 'w');
    this.#process = spawn(process.execPath, [PROGRAMS[program], ...args], { stdio: ['ignore', 'pipe', log] });
    closeSync(log);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#exited = promise;
    this.#process.once('exit', (exitCode, signal) => {
      resolve();
      if (!this.#stopping) onDeath(this.#deathOf(exitCode, signal));
    });
  }

  /** Resolves with the address that it prints once it is up; never, if it dies before. */
  async url(): Promise<string> {
    const { stdout } = this.#process;
    if (stdout === null) throw new TypeError('stdout is a pipe');
    const { promise, resolve } = Promise.withResolvers<string>();
    createInterface(stdout).once('line', (line) => resolve((JSON.parse(line) as { url: string }).url));
    return promise;
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#process.kill('SIGTERM');
    const deadline = setTimeout(() => this.#process.kill('SIGKILL'), STOP_TIMEOUT_MS);
    await this.#exited;
    clearTimeout(deadline);
  }

  /** A process that cannot start says why in its last line. */
  #deathOf(exitCode: number | null, signal: NodeJS.Signals | null): FreshetError {
    const { name, logPath, isLogKept } = this.#options;
    const lastLine = readFileSync(logPath, 'utf8').trim().split('\n').at(-1) ?? '';
    const where = isLogKept ? ` (log: ${logPath})` : '';
    return new FreshetError(
      'UNREACHABLE',
      `${name} has ended (${signal ?? `exit code ${exitCode}`}): ${lastLine}${where}`,
    );
  }
}
