/**
 * The SQLite file of the sample log: opening it (or saying why not, with nothing changed in it), bringing its schema up
 * to date, and turning SQLite's failures into ours. What the tables mean is not known here.
 *
 * Two processes have it open at once, the trainer's main process and its learner, so nobody holds it: each waits a
 * bounded time for the other's transaction, and keeps its own short. The waiting blocks the thread, that of the main
 * process, too; hence no more than some milliseconds of work in one transaction.
 *
 * SQLite makes the index of the write-ahead log (`-shm`) where it is missing. It is never removed here: the other
 * process may have it open, and two that do not share one destroy the file (https://www.sqlite.org/howtocorrupt.html).
 */
import { existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { FreshetError } from '@freshet/protocol/errors';
import Database from 'better-sqlite3';
import { type FileKind, type Prepare, preparing, schemaVersionOf } from '../sqlite-file.ts';
import { SAMPLE_LOG_APPLICATION_ID, SAMPLE_LOG_MIGRATIONS } from './sample-schema.ts';

const KIND: FileKind = {
  name: 'sample log',
  applicationId: SAMPLE_LOG_APPLICATION_ID,
  schemaVersion: SAMPLE_LOG_MIGRATIONS.length,
};

/** How long one process waits for the other's transaction: far longer than one of ours takes. */
const LOCK_WAIT_MS = 2000;
const OPEN_PAUSE_MS = 5;

/** The write-ahead log shrinks to this after a burst. */
const WAL_BYTES_KEPT = 16 * 1024 * 1024;

/** What is lost when the power goes. Nothing is when a process is killed. */
export type Durability =
  /** No transaction that has returned. */
  | 'full'
  /** The last transactions, from some point on. */
  | 'relaxed';

export interface SampleDatabase {
  readonly path: string;
  readonly prepare: Prepare;
  /** Runs `query` on one state of the file. @throws STORE_CORRUPT, STORE_LOCKED */
  read<Result>(query: () => Result): Result;
  /** Runs `change` in one transaction: all of it, or nothing. @throws STORE_WRITE_FAILED, STORE_CORRUPT, STORE_LOCKED */
  write<Result>(change: () => Result): Result;
  /** As `write`, for a change that changes something: it and all before it, by either process, is on disk on return. */
  writeDurably<Result>(change: () => Result): Result;
  close(): void;
}

/**
 * Opens the log at `path` or creates an empty one, with its folder.
 * @throws STORE_FOREIGN, STORE_NEWER, STORE_LOCKED, STORE_CORRUPT, STORE_WRITE_FAILED
 */
export function openSampleDatabase(
  path: string,
  durability: Durability,
  { lockWaitMs = LOCK_WAIT_MS }: { lockWaitMs?: number } = {},
): SampleDatabase {
  const deadlineMs = performance.now() + lockWaitMs;
  for (;;) {
    try {
      return openOnce(path, durability, lockWaitMs);
    } catch (cause) {
      if (!isPassing(cause) || performance.now() >= deadlineMs) throw failureOf(path, cause);
      pause(OPEN_PAUSE_MS);
    }
  }
}

function openOnce(path: string, durability: Durability, timeout: number): SampleDatabase {
  let handle: Database.Database | undefined;
  try {
    mkdirSync(dirname(path), { recursive: true });
    if (existsSync(path) && existsSync(`${path}-wal`)) peek(path, timeout);
    handle = new Database(path, { timeout });
    prepareFile(handle, path);
    setDurability(handle, durability);
    return sampleDatabase(handle, path, durability);
  } catch (cause) {
    handle?.close();
    throw cause;
  }
}

/**
 * While another process opens or closes the same file, changing the journal mode fails at once, whatever the timeout (two
 * that wait for each other would wait for ever), and the files beside it may be gone between two looks.
 */
function isPassing(cause: unknown): boolean {
  return cause instanceof Database.SqliteError && /^SQLITE_(BUSY|LOCKED|PROTOCOL|CANTOPEN)/.test(cause.code);
}

function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

/**
 * A write-ahead log next to the file may be one that another program left when it crashed. Closing a writable connection
 * would move that log into the file, so whose it is gets found out through a connection that cannot write.
 */
function peek(path: string, timeout: number): void {
  const handle = new Database(path, { readonly: true, timeout });
  try {
    schemaVersionOf(handle, path, KIND);
  } finally {
    handle.close();
  }
}

function prepareFile(handle: Database.Database, path: string): void {
  if (schemaVersionOf(handle, path, KIND) < SAMPLE_LOG_MIGRATIONS.length) {
    // What was read before the lock may be old by now: the other process migrates as well.
    handle.transaction(() => migrate(handle, schemaVersionOf(handle, path, KIND))).immediate();
  }
  const journalMode = handle.pragma('journal_mode = WAL', { simple: true });
  if (journalMode !== 'wal')
    throw damagedLog(path, new Error(`no write-ahead log, but ${String(journalMode)}`));
  handle.pragma(`journal_size_limit = ${WAL_BYTES_KEPT}`);
}

function migrate(handle: Database.Database, schemaVersion: number): void {
  for (const migration of SAMPLE_LOG_MIGRATIONS.slice(schemaVersion)) handle.exec(migration);
  handle.pragma(`application_id = ${SAMPLE_LOG_APPLICATION_ID}`);
  handle.pragma(`user_version = ${SAMPLE_LOG_MIGRATIONS.length}`);
}

function setDurability(handle: Database.Database, durability: Durability): void {
  handle.pragma(`synchronous = ${durability === 'full' ? 'FULL' : 'NORMAL'}`);
}

function sampleDatabase(handle: Database.Database, path: string, durability: Durability): SampleDatabase {
  const guarded = <Result>(action: () => Result): Result => {
    try {
      return action();
    } catch (cause) {
      throw failureOf(path, cause);
    }
  };
  const write = <Result>(change: () => Result): Result =>
    guarded(() => handle.transaction(change).immediate());
  return {
    path,
    prepare: preparing(handle),
    read: (query) => guarded(() => handle.transaction(query).deferred()),
    write,
    writeDurably(change) {
      setDurability(handle, 'full');
      try {
        // A commit at full durability puts the write-ahead log on disk from its beginning.
        return write(change);
      } finally {
        setDurability(handle, durability);
      }
    },
    close() {
      handle.close();
    },
  };
}

/** The content of `path` is damaged; `cause` says how it showed. */
export function damagedLog(path: string, cause: unknown): FreshetError {
  const what = cause instanceof Error ? cause.message : String(cause);
  return new FreshetError(
    'STORE_CORRUPT',
    `the sample log ${path} is damaged (${what}): restore it from a backup, or move it and learner.checkpoint away ` +
      'to go on without a history',
    { cause },
  );
}

/** What a failure of SQLite, or of the file system on the way to it, means; anything else is handed on untouched. */
function failureOf(path: string, cause: unknown): unknown {
  if (cause instanceof Database.SqliteError) {
    if (/^SQLITE_(BUSY|LOCKED|PROTOCOL)/.test(cause.code)) {
      return new FreshetError(
        'STORE_LOCKED',
        `${path} is held by another process for too long: stop what works on it besides this trainer`,
        { cause },
      );
    }
    if (/^SQLITE_(CORRUPT|NOTADB)/.test(cause.code)) return damagedLog(path, cause);
    return new FreshetError(
      'STORE_WRITE_FAILED',
      `cannot use ${path} (${cause.message}): check free space and permissions`,
      { cause, details: { sqliteCode: cause.code } },
    );
  }
  if (cause instanceof Error && 'code' in cause && 'syscall' in cause) {
    return new FreshetError('STORE_WRITE_FAILED', `cannot create ${path}: ${cause.message}`, { cause });
  }
  return cause;
}
