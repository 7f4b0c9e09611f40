/**
 * How commands find the process that works on a state directory: a JSON file beside its database, readable by the
 * same user only, with the address and a token drawn anew at each start. A stale one is harmless: nobody answers.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
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

  /** `process`: what runs there, `agent` or `trainer`. */
  constructor(stateDirectory: string, process: 'agent' | 'trainer') {
    this.#path = join(stateDirectory, `${process}.json`);
  }

  write(record: RuntimeRecord): void {
    this.remove();
    writeFileSync(this.#path, `${JSON.stringify(record)}\n`, { mode: 0o600, flag: 'wx' });
  }

  remove(): void {
    rmSync(this.#path, { force: true });
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
      const code = cause instanceof Error && 'code' in cause ? cause.code : '';
      if (code === 'ENOENT' || code === 'ENOTDIR') return null;
      throw new FreshetError('UNREACHABLE', `cannot read ${this.#path} (${code})`, { cause });
    }
    const record = v.safeParse(v.pipe(v.string(), v.parseJson(), runtimeSchema), text);
    if (record.success) return record.output;
    throw new FreshetError(
      'STORE_CORRUPT',
      `${this.#path} is damaged; remove it and start the process again`,
    );
  }
}
