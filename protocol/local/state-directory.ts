/** The directory in which a process keeps its database and runtime file. */
import { mkdirSync } from 'node:fs';
import { FreshetError } from '../errors.ts';

/** Makes the directory and its parents where they are missing. @throws CONFIG_INVALID */
export function makeStateDirectory(path: string): void {
  try {
    mkdirSync(path, { recursive: true });
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : String(cause);
    const why =
      code === 'EEXIST' || code === 'ENOTDIR'
        ? `${path} is not a directory`
        : `cannot make the directory ${path} (${code})`;
    throw new FreshetError('CONFIG_INVALID', `${why}: give another --state directory`, { cause });
  }
}
