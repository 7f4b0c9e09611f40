/**
 * How commands find the process that works on a state directory: a JSON file beside its database, readable by the
 * same user only, with the address and a token drawn anew at each start. A stale one is harmless: nobody answers.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import { FreshetError } from '../errors.ts';

const runtimeSchema = v.object({ pid: v.number(), url: v.string(), adminToken: v.string() });

export type RuntimeRecord = v.InferOutput<typeof runtimeSchema>;

export function drawAdminToken(): string {
  return randomBytes(24).toString('base64url');
}

export class RuntimeFile {
  readonly #path: string;
  readonly #process: 'agent' | 'trainer';
  #isOurs = false;

  /** `process`: what runs there. */
  constructor(stateDirectory: string, process: 'agent' | 'trainer') {
    this.#path = join(stateDirectory, `${process}.json`);
    this.#process = process;
  }

  /** Takes the place of one that a killed process has left. A reader sees all of it or none. @throws STORE_WRITE_FAILED */
  write(record: RuntimeRecord): void {
    const draft = `${this.#path}.new`;
    try {
      rmSync(draft, { force: true });
      writeFileSync(draft, `${JSON.stringify(record)}\n`, { mode: 0o600, flag: 'wx' });
      renameSync(draft, this.#path);
    } catch (cause) {
      throw new FreshetError(
        'STORE_WRITE_FAILED',
        `cannot write ${this.#path} (${codeOf(cause)}): check free space and permissions`,
        { cause },
      );
    }
    this.#isOurs = true;
  }

  /** Removes what `write` has written, if anything. */
  remove(): void {
    if (this.#isOurs) rmSync(this.#path, { force: true });
    this.#isOurs = false;
  }

  /**
   * What the process left, or null when there is no file.
   * @throws STORE_CORRUPT when the file is not one of ours, UNREACHABLE when it may not be read.
   */
  read(): RuntimeRecord | null {
    let text: string;
    try {
      text = readFileSync(this.#path, 'utf8');
    } catch (cause) {
      const code = codeOf(cause);
      if (code === 'ENOENT' || code === 'ENOTDIR') return null;
      throw new FreshetError(
        'UNREACHABLE',
        `cannot read ${this.#path} (${code}): only the user that runs the ${this.#process} may`,
        { cause },
      );
    }
    const record = v.safeParse(v.pipe(v.string(), v.parseJson(), runtimeSchema), text);
    if (record.success) return record.output;
    throw new FreshetError(
      'STORE_CORRUPT',
      `${this.#path} is damaged: remove it, and if the ${this.#process} is running start it again`,
    );
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
