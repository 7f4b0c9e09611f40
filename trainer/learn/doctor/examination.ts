/**
 * What a backend can do on this machine, found out in a child process: an addon that crashes or hangs, or a driver that
 * prints, does it there.
 */
import { fork } from 'node:child_process';
import { join } from 'node:path';
import { type BackendName, type Unusable, unusable } from '../backends/backend.ts';
import type { StepTime, StepTimeOptions } from './step-time.ts';

/** The backend runs; times are of a training step of LeNet-5. */
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

/** What the child is told, as the only argument of its command line, in JSON. */
export interface ExaminationRequest extends StepTimeOptions {
  readonly backend: BackendName;
}

const CHILD = join(import.meta.dirname, 'examination-main.ts');
/** Of what the child writes to stderr, the end is kept. */
const STDERR_CHARACTERS_MAX = 4000;

/** Never rejects: whatever happens to the child is a finding. `child`: the module that it runs. */
export function examineBackend(
  backend: BackendName,
  { timeoutMs, ...stepTime }: ExaminationOptions,
  child = CHILD,
): Promise<Finding> {
  const request: ExaminationRequest = { backend, ...stepTime };
  const process = fork(child, [JSON.stringify(request)], { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
  return new Promise((resolve) => {
    let finding: Finding | null = null;
    let stderr = '';
    const timer = setTimeout(() => {
      finding ??= tooSlow(timeoutMs);
      process.kill('SIGKILL');
    }, timeoutMs);
    process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      stderr = (stderr + text).slice(-STDERR_CHARACTERS_MAX);
    });
    // The child is our own code: it sends one finding.
    process.once('message', (message) => {
      finding = message as Finding;
    });
    process.once('error', (error) => {
      finding ??= unusable(`its process cannot be started: ${error.message}`, 'free memory or processes');
    });
    // 'close' comes after all output; where the process never started, there is nothing but that.
    process.once('close', (exitCode, signal) => {
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
