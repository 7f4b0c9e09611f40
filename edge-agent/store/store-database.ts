/**
 * The SQLite file of a store: recognised before it is touched, held by one process at a time, written in whole
 * transactions. The lock is the exclusive file lock of SQLite, which the kernel drops when the process dies in any
 * way; the pid file next to it only tells a person who holds it.
 *
 * Never open or read the database file by other means in the same process: closing any descriptor of a file drops
 * the process's POSIX locks on it (https://www.sqlite.org/howtocorrupt.html, §2.2).
 */
import { accessSync, constants, existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { FreshetError } from '@freshet/protocol/errors';
import Database from 'better-sqlite3';
import { type FileKind, migrate, recogniseFile, SCHEMA_VERSION } from './schema.ts';
import { corruptStore, isLockedFailure, notWritable, readFailure, writeFailure } from './store-errors.ts';

/** The log shrinks to this after a large transaction has been moved into the file. */
const LOG_BYTES_MAX = 16 * 1024 * 1024;

/** Statements of an open store, with SQLite's failures turned into declared ones. */
export interface StoreDatabase {
  readonly path: string;
  readonly connection: Database.Database;
  /** Runs statements that only read. @throws STORE_CORRUPT */
  read<T>(action: () => T): T;
  /** Runs `action` in one transaction, on disk when this returns. @throws STORE_WRITE_FAILED, STORE_CORRUPT */
  write<T>(action: () => T): T;
  close(): void;
}

/**
 * Opens the store's file and takes it for this process; makes it if it is missing, unless `mustExist`.
 * @throws CONFIG_INVALID, STORE_LOCKED, STORE_FOREIGN, STORE_NEWER, STORE_CORRUPT; the file is as it was then.
 */
export function openStoreDatabase(file: string, mustExist: boolean): StoreDatabase {
  const path = resolve(file);
  checkPlace(path, mustExist);
  const hasLog = existsSync(`${path}-wal`);
  try {
    if (hasLog) peek(path);
    const connection = new Database(path, { timeout: 0 });
    try {
      take(path, connection);
    } catch (cause) {
      connection.close();
      throw cause;
    }
    // Made by the peek; this connection keeps the index of the log in its own memory and nobody else gets in.
    if (hasLog) rmSync(`${path}-shm`, { force: true });
    writePid(path);
    return storeDatabase(path, connection);
  } catch (cause) {
    throw isLockedFailure(cause) ? lockedStore(path, cause) : readFailure(path, cause);
  }
}

function checkPlace(path: string, mustExist: boolean): void {
  const directory = dirname(path);
  if (!statSync(directory, { throwIfNoEntry: false })?.isDirectory()) {
    throw new FreshetError(
      'CONFIG_INVALID',
      `there is no directory ${directory}: create it, or give another --state directory`,
    );
  }
  const file = statSync(path, { throwIfNoEntry: false });
  if (file === undefined && mustExist) {
    throw new FreshetError(
      'CONFIG_INVALID',
      `there is no store at ${path}: run the agent first, or give another --state directory`,
    );
  }
  if (file?.isFile() === false) {
    throw new FreshetError('CONFIG_INVALID', `${path} is not a file: give another --state directory`);
  }
  // SQLite takes a file that it may only read, and fails in odd ways later.
  const place = file === undefined ? directory : path;
  try {
    accessSync(place, constants.R_OK | constants.W_OK);
  } catch (cause) {
    throw notWritable(place, cause);
  }
}

/**
 * A write-ahead log next to the file means that its owner runs or has crashed. Closing a writable connection would
 * move that log into the file, so what the file is gets found out through a connection that cannot write.
 */
function peek(path: string): void {
  const connection = new Database(path, { readonly: true, timeout: 0 });
  try {
    refuseUnfit(path, recogniseFile(connection));
  } finally {
    connection.close();
  }
}

/** Locks the file, then recognises it, then brings its schema up to date: all of it or, after a crash, nothing. */
function take(path: string, connection: Database.Database): void {
  connection.pragma('locking_mode = EXCLUSIVE');
  connection.exec('BEGIN EXCLUSIVE');
  try {
    const found = recogniseFile(connection);
    migrate(connection, refuseUnfit(path, found));
    connection.exec('COMMIT');
  } catch (cause) {
    if (connection.inTransaction) connection.exec('ROLLBACK');
    throw cause;
  }
  const journalMode = connection.pragma('journal_mode = WAL', { simple: true });
  if (journalMode !== 'wal') throw corruptStore(path, `no write-ahead log, but ${String(journalMode)}`);
  // A version is acknowledged once committed, so a commit has to outlive the power (fullfsync: on macOS, too).
  connection.pragma('synchronous = FULL');
  connection.pragma('fullfsync = ON');
  connection.pragma(`journal_size_limit = ${LOG_BYTES_MAX}`);
}

/** The schema version to migrate from. */
function refuseUnfit(path: string, file: FileKind): number {
  if (file.kind === 'former') {
    throw new FreshetError(
      'STORE_FOREIGN',
      `${path} is a store of a Freshet from before its first release, which is not read any more: ` +
        'delete it and start the agent again to fetch the model anew, or give another --state directory',
    );
  }
  if (file.kind === 'foreign') {
    throw new FreshetError(
      'STORE_FOREIGN',
      `${path} is a database of another program: give another --state directory`,
    );
  }
  const schemaVersion = file.kind === 'blank' ? 0 : file.schemaVersion;
  if (schemaVersion > SCHEMA_VERSION) {
    throw new FreshetError(
      'STORE_NEWER',
      `${path} was written by a newer Freshet (schema ${schemaVersion}, known up to ${SCHEMA_VERSION}): ` +
        'update this agent, or give another --state directory',
      { details: { schemaVersion, schemaVersionMax: SCHEMA_VERSION } },
    );
  }
  return schemaVersion;
}

function storeDatabase(path: string, connection: Database.Database): StoreDatabase {
  return {
    path,
    connection,
    read: (action) => {
      try {
        return action();
      } catch (cause) {
        throw readFailure(path, cause);
      }
    },
    write: (action) => {
      try {
        return connection.transaction(action).immediate();
      } catch (cause) {
        throw writeFailure(path, cause);
      }
    },
    close: () => {
      if (!connection.open) return;
      // While the lock is held: afterwards the file could be the next owner's.
      rmSync(pidPath(path), { force: true });
      connection.close();
    },
  };
}

const pidPath = (path: string): string => `${path}.pid`;

function writePid(path: string): void {
  try {
    writeFileSync(pidPath(path), `${process.pid}\n`);
  } catch {
    // A full disk must not keep a device from serving; the next process learns that the store is held, not by whom.
    rmSync(pidPath(path), { force: true });
  }
}

function lockedStore(path: string, cause: unknown): FreshetError {
  const pid = existsSync(pidPath(path)) ? readFileSync(pidPath(path), 'utf8').trim() : '';
  const holder = /^\d+$/.test(pid) ? `pid ${pid}` : 'pid unknown';
  return new FreshetError(
    'STORE_LOCKED',
    `${path} is in use by another agent (${holder}): stop that agent, or give another --state directory`,
    { cause, details: /^\d+$/.test(pid) ? { pid: Number(pid) } : {} },
  );
}
