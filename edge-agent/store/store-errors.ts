/**
 * What SQLite's failures mean for a store. Everything that better-sqlite3 throws passes through here; a failure that
 * is not SQLite's (a FreshetError, a broken invariant) is handed on untouched.
 */
import { FreshetError } from '@freshet/protocol/errors';
import Database from 'better-sqlite3';

/** Failure of opening or reading `path`, as something to throw. */
export function readFailure(path: string, cause: unknown): unknown {
  if (!(cause instanceof Database.SqliteError)) return cause;
  if (/^SQLITE_(CANTOPEN|READONLY|PERM|IOERR_.*LOCK)/.test(cause.code)) return notWritable(path, cause);
  if (/^SQLITE_(FULL|IOERR_(WRITE|FSYNC|DIR_FSYNC|TRUNCATE|DELETE))/.test(cause.code)) {
    return writeFailure(path, cause);
  }
  return corruptStore(path, cause.message, cause);
}

/** Failure of a transaction on `path`, as something to throw: nothing of the transaction is on disk. */
export function writeFailure(path: string, cause: unknown): unknown {
  if (!(cause instanceof Database.SqliteError)) return cause;
  if (/^SQLITE_(CORRUPT|NOTADB)/.test(cause.code)) return corruptStore(path, cause.message, cause);
  return new FreshetError(
    'STORE_WRITE_FAILED',
    `cannot write to ${path} (${cause.message}): check free space and permissions, then start the agent again`,
    { cause, details: { sqlite: cause.code } },
  );
}

/** Whether another connection holds the file. */
export function isLockedFailure(cause: unknown): boolean {
  return cause instanceof Database.SqliteError && /^SQLITE_(BUSY|LOCKED)/.test(cause.code);
}

export function corruptStore(path: string, what: string, cause?: unknown): FreshetError {
  return new FreshetError(
    'STORE_CORRUPT',
    `${path} is damaged (${what}): move it away and start the agent again ` +
      '(with --publisher-key if a key was pinned) to fetch the model anew',
    { cause },
  );
}

export function notWritable(path: string, cause: unknown): FreshetError {
  return new FreshetError(
    'CONFIG_INVALID',
    `cannot open ${path} for writing: check its permissions, or give another --state directory`,
    { cause },
  );
}
