/**
 * The SQLite file of the version log: opening it (or saying why not, with nothing changed on disk), bringing its
 * schema up to date, and turning SQLite's failures into ours. What the tables mean is not known here.
 *
 * One process owns the file (exclusive locking, so WAL needs no shared memory). Commits are fsynced: a version that an
 * agent has seen must not be missing after a power cut, or hub and agent would hold two histories under one name.
 */
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { FreshetError } from '@freshet/protocol/errors';
import Database from 'better-sqlite3';
import { type FileKind, type Prepare, preparing, schemaVersionOf } from './sqlite-file.ts';
import {
  FORMER_VERSION_LOG_APPLICATION_ID,
  VERSION_LOG_APPLICATION_ID,
  VERSION_LOG_MIGRATIONS,
} from './version-log-schema.ts';

const KIND: FileKind = {
  name: 'version log',
  applicationId: VERSION_LOG_APPLICATION_ID,
  schemaVersion: VERSION_LOG_MIGRATIONS.length,
};

/** How long to wait for a process that is just ending. */
const LOCK_WAIT_MS = 2000;

/** Weights are large rows: fewer, larger pages. */
const PAGE_BYTES = 8192;

/** The WAL file shrinks to this after a large snapshot has passed through it. */
const WAL_BYTES_KEPT = 64 * 1024 * 1024;

export interface LogDatabase {
  readonly path: string;
  readonly handle: Database.Database;
  readonly prepare: Prepare;
  /** Runs `query`; SQLite's failures leave as STORE_CORRUPT. */
  read<Result>(query: () => Result): Result;
  /** Runs `change` in one transaction that is on disk when this returns. @throws STORE_WRITE_FAILED, STORE_CORRUPT */
  write<Result>(change: () => Result): Result;
  close(): void;
}

/**
 * Opens the log at `path` or creates an empty one, with its folder.
 * @throws STORE_FOREIGN, STORE_NEWER, STORE_LOCKED, STORE_CORRUPT, STORE_WRITE_FAILED; the file is as it was.
 */
export function openLogDatabase(path: string, options: { lockWaitMs?: number } = {}): LogDatabase {
  const timeout = options.lockWaitMs ?? LOCK_WAIT_MS;
  let handle: Database.Database | undefined;
  try {
    mkdirSync(dirname(path), { recursive: true });
    if (existsSync(path) && existsSync(`${path}-wal`)) peek(path, timeout);
    handle = new Database(path, { timeout });
    prepare(handle, path);
    return makeLogDatabase(handle, path);
  } catch (cause) {
    handle?.close();
    throw openFailure(cause, path);
  }
}

/**
 * A write-ahead log next to the file means that its owner runs or has crashed. Closing a writable connection would
 * move that log into the file, so whose it is gets found out through a connection that cannot write.
 */
function peek(path: string, timeout: number): void {
  const index = `${path}-shm`;
  const hadIndex = existsSync(index);
  const handle = new Database(path, { readonly: true, timeout });
  try {
    checkOwnership(handle, path);
  } finally {
    handle.close();
    // Of the log's index only our own copy goes; whoever opens the file next rebuilds it.
    if (!hadIndex) rmSync(index, { force: true });
  }
}

function prepare(handle: Database.Database, path: string): void {
  handle.pragma('locking_mode = EXCLUSIVE');
  const schemaVersion = checkOwnership(handle, path);
  if (schemaVersion === 0) {
    handle.pragma(`page_size = ${PAGE_BYTES}`);
    // Before WAL, so that the mark of ownership is in the main file from the first commit on.
    migrate(handle, 0);
  }
  handle.pragma('journal_mode = WAL');
  handle.pragma('synchronous = FULL');
  handle.pragma(`journal_size_limit = ${WAL_BYTES_KEPT}`);
  if (schemaVersion > 0) migrate(handle, schemaVersion);
}

/** Schema version of a file that is ours; 0 for an empty one. */
function checkOwnership(handle: Database.Database, path: string): number {
  if (handle.pragma('application_id', { simple: true }) !== FORMER_VERSION_LOG_APPLICATION_ID) {
    return schemaVersionOf(handle, path, KIND);
  }
  throw new FreshetError(
    'STORE_FOREIGN',
    `${path} is a version log of a Freshet from before its first release, which is not read any more: ` +
      'move it away to start a new line, for which devices need new stores as well, or use another --state directory',
  );
}

function migrate(handle: Database.Database, schemaVersion: number): void {
  for (const [index, migration] of VERSION_LOG_MIGRATIONS.entries()) {
    if (index < schemaVersion) continue;
    handle
      .transaction(() => {
        handle.exec(migration);
        handle.pragma(`application_id = ${VERSION_LOG_APPLICATION_ID}`);
        handle.pragma(`user_version = ${index + 1}`);
      })
      .exclusive();
  }
}

function makeLogDatabase(handle: Database.Database, path: string): LogDatabase {
  return {
    path,
    handle,
    prepare: preparing(handle),
    read(query) {
      try {
        return query();
      } catch (cause) {
        throw cause instanceof Database.SqliteError ? corrupt(path, cause) : cause;
      }
    },
    write(change) {
      try {
        return handle.transaction(change).immediate();
      } catch (cause) {
        throw cause instanceof Database.SqliteError ? writeFailure(path, cause) : cause;
      }
    },
    close() {
      handle.close();
    },
  };
}

/** The content of `path` is damaged; `cause` says how it showed. */
export function corrupt(path: string, cause: unknown): FreshetError {
  return new FreshetError(
    'STORE_CORRUPT',
    `the version log ${path} is damaged (${messageOf(cause)}): restore it from a backup, or move it away to start a new line`,
    { cause },
  );
}

function writeFailure(path: string, cause: InstanceType<typeof Database.SqliteError>): FreshetError {
  if (isDamage(cause.code)) return corrupt(path, cause);
  return new FreshetError(
    'STORE_WRITE_FAILED',
    `cannot write ${path} (${cause.message}): check free space and permissions`,
    { cause, details: { sqliteCode: cause.code } },
  );
}

function openFailure(cause: unknown, path: string): unknown {
  if (cause instanceof FreshetError) return cause;
  if (cause instanceof Database.SqliteError) {
    if (cause.code.startsWith('SQLITE_BUSY')) {
      return new FreshetError(
        'STORE_LOCKED',
        `${path} is in use by another process: stop that one, or use another --state directory`,
        { cause },
      );
    }
    return writeFailure(path, cause);
  }
  if (cause instanceof Error && 'code' in cause && 'syscall' in cause) {
    return new FreshetError('STORE_WRITE_FAILED', `cannot create ${path}: ${cause.message}`, { cause });
  }
  return cause;
}

function isDamage(sqliteCode: string): boolean {
  return sqliteCode.startsWith('SQLITE_CORRUPT') || sqliteCode === 'SQLITE_NOTADB';
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
