/** What a command that fails must look like: one line on stderr, the agreed exit code, and the disk as it was. */
import { strict as assert } from 'node:assert';
import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CommandOutcome, runCommand } from './system.ts';

export interface Refusal {
  readonly program: 'freshet' | 'freshet-agent';
  readonly args: readonly string[];
  readonly stdin?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly exitCode: number;
  /** What is wrong and what to do about it. */
  readonly says: RegExp;
  /** Must be as before, and missing if it was. */
  readonly untouched?: string;
}

type Command = Pick<Refusal, 'program' | 'args'>;

export const agent = (...args: string[]): Command => ({ program: 'freshet-agent', args });
export const trainer = (...args: string[]): Command => ({ program: 'freshet', args });

/** Runs the command of `refusal` and holds what it does against it. */
export async function assertRefusal(refusal: Refusal): Promise<void> {
  const { program, args, untouched, stdin = '', env = {} } = refusal;
  const before = untouched === undefined ? null : contentsOf(untouched);
  const outcome = await runCommand(program, args, { stdin, env });
  assertSaid(program, outcome, refusal);
  if (untouched !== undefined) assert.deepEqual(contentsOf(untouched), before, 'something changed on disk');
}

function assertSaid(
  program: string,
  { exitCode, stdout, stderr }: CommandOutcome,
  { exitCode: expected, says }: Refusal,
): void {
  assert.match(stderr, /^[^\n]+\n$/, `not one line: ${stderr}`);
  assert.ok(stderr.startsWith(`${program}: `), stderr);
  assert.match(stderr, says);
  assert.equal(exitCode, expected, stderr);
  assert.equal(stdout, '');
}

/** Path below `path` → what is there, with a digest of the content; null where nothing is. */
export function contentsOf(path: string): Record<string, string> | null {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return null;
  if (!stat.isDirectory()) return { '': digest(path) };
  const entries = readdirSync(path, { recursive: true, withFileTypes: true });
  const described = entries.map((entry): [string, string] => {
    const entryPath = join(entry.parentPath, entry.name);
    return [entryPath, entry.isDirectory() ? 'directory' : digest(entryPath)];
  });
  return Object.fromEntries(described.sort());
}

function digest(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}
