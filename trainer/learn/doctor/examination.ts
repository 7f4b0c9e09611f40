/**
 * What a backend can do on this machine, found out in a child process: an addon that crashes or hangs, or a driver that
 * prints, does it there.
 */
import { fork } from 'node:child_process';
import { join } from 'node:path';
import { type BackendName, type Unusable, unusable } from '../backends/backend.ts';
import type { StepTime, StepTimeOptions } from './step-time.ts';

/** The backend runs; times are of a training step of the model examined. */
export interface Fit extends StepTime {
  readonly kind: 'runs';
  readonly adapter: string;
  /** Set where `auto` passes it over: a processor that plays a GPU. */
  readonly onRequestOnly?: true;
}

export type Finding = Fit | Unusable;

export interface ExaminationOptions extends StepTimeOptions {
  /** After which the child is killed. */
  readonly timeoutMs: number;
}

/** What the child is told, as the first argument of its command line, in JSON. */
export interface ExaminationRequest extends StepTimeOptions {
  readonly backend: BackendName;
}

/** The program of the child. */
export interface ExaminationProgram {
  /** Path of a module that calls `runExamination`. */
  readonly module: string;
  /** Of its command line, behind the request. */
  readonly args: readonly string[];
  /** Added to the environment of this process. */
  readonly env?: Readonly<Record<string, string>>;
}

/** The doctor's own. */
export const LENET5: ExaminationProgram = {
  module: join(import.meta.dirname, 'examination-main.ts'),
  args: [],
};
/** Of what the child writes to stderr, the end is kept. */
const STDERR_CHARACTERS_MAX = 4000;

/** Never rejects: whatever happens to the child is a finding. By default the model is LeNet-5. */
export function examineBackend(
  backend: BackendName,
  { timeoutMs, ...stepTime }: ExaminationOptions,
  { module, args, env = {} }: ExaminationProgram = LENET5,
): Promise<Finding> {
  const request: ExaminationRequest = { backend, ...stepTime };
  const child = fork(module, [JSON.stringify(request), ...args], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    env: { ...process.env, ...env },
  });
  return new Promise((resolve) => {
    let finding: Finding | null = null;
    let stderr = '';
    const timer = setTimeout(() => {
      finding ??= tooSlow(timeoutMs);
      child.kill('SIGKILL');
    }, timeoutMs);
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      stderr = (stderr + text).slice(-STDERR_CHARACTERS_MAX);
    });
    // The child is our own code: it sends one finding.
    child.once('message', (message) => {
      finding = message as Finding;
    });
    child.once('error', (error) => {
      finding ??= unusable(`its process cannot be started: ${error.message}`, 'free memory or processes');
    });
    // 'close' comes after all output; where the process never started, there is nothing but that.
    child.once('close', (exitCode, signal) => {
      clearTimeout(timer);
      resolve(finding ?? crashed(exitCode, signal, stderr));
    });
  });
}

function tooSlow(timeoutMs: number): Unusable {
  return unusable(
    `took longer than ${timeoutMs / 1000} s to start and to train a few steps`,
    'use another backend, or allow it more time with --timeout',
  );
}

function crashed(exitCode: number | null, signal: NodeJS.Signals | null, stderr: string): Unusable {
  const how = signal === null ? `ended with exit code ${exitCode}` : `was killed by ${signal}`;
  const line = tellingLine(stderr);
  return unusable(
    `crashes: its process ${how}${line === undefined ? '' : ` (${line})`}`,
    'name another with --backend, and mend or remove the library that crashes',
  );
}

/** Around the line that tells, Node.js prints where it was, and both stacks. */
function tellingLine(stderr: string): string | undefined {
  const lines = stderr
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  return lines.find((line) => /error|fatal|assert|terminate/i.test(line)) ?? lines[0];
}
