/** Programs of others: whether they are there, and running them with errors that say what to do. */
import { spawn } from 'node:child_process';
import { FreshetError } from '@freshet/protocol/errors';

export interface Tool {
  readonly command: string;
  /** Shows that it is there, and changes nothing. */
  readonly versionArgs: readonly string[];
  /** What it is, for a person. */
  readonly what: string;
  /** How to get it, or how to name another one. */
  readonly remedy: string;
}

/** Of what a program prints, the end is kept: that is where errors are. */
const OUTPUT_CHARACTERS_MAX = 20_000;

/** @throws BACKEND_UNAVAILABLE when it is not there or does not work */
export async function requireTool({ command, versionArgs, what, remedy }: Tool): Promise<void> {
  const outcome = await run(command, versionArgs);
  if (outcome.kind === 'done') return;
  const why = outcome.kind === 'missing' ? 'is not there' : `does not work: ${lastLine(outcome.output)}`;
  throw new FreshetError(
    'BACKEND_UNAVAILABLE',
    `${what} (${[command, ...versionArgs].join(' ')}) ${why}: ${remedy}`,
  );
}

export interface StepOptions {
  /** What it is for, as in "cannot …". */
  readonly purpose: string;
  readonly remedy: string;
  readonly cwd: string;
}

/** Runs a program to its end. @throws BACKEND_UNAVAILABLE with what it printed last, when it fails */
export async function runStep(
  command: string,
  args: readonly string[],
  { purpose, remedy, cwd }: StepOptions,
): Promise<void> {
  const outcome = await run(command, args, cwd);
  if (outcome.kind === 'done') return;
  const why = outcome.kind === 'missing' ? `${command} is not there` : telling(outcome.output);
  throw new FreshetError('BACKEND_UNAVAILABLE', `cannot ${purpose} (${why}): ${remedy}`, {
    details: outcome.kind === 'failed' ? { output: outcome.output } : {},
  });
}

type Outcome =
  | { readonly kind: 'done' }
  | { readonly kind: 'missing' }
  | { readonly kind: 'failed'; readonly output: string };

function run(command: string, args: readonly string[], cwd = process.cwd()): Promise<Outcome> {
  const child = spawn(command, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  return new Promise((resolve) => {
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output = (output + text).slice(-OUTPUT_CHARACTERS_MAX);
      });
    }
    child.once('error', (error: NodeJS.ErrnoException) => {
      resolve(error.code === 'ENOENT' ? { kind: 'missing' } : { kind: 'failed', output: error.message });
    });
    child.once('close', (exitCode, signal) => {
      if (exitCode === 0) resolve({ kind: 'done' });
      else
        resolve({
          kind: 'failed',
          output: output.trim() || `it ended with ${signal ?? `exit code ${exitCode}`}`,
        });
    });
  });
}

/** The first line that speaks of an error, or the last one. */
function telling(output: string): string {
  const lines = output.split('\n').map((line) => line.trim());
  return lines.find((line) => /error/i.test(line)) ?? lastLine(output);
}

function lastLine(output: string): string {
  return output.trim().split('\n').at(-1)!.trim();
}
