/**
 * The tables of the device's version store and their history. The file is recognised by `application_id`; the number
 * of migrations that made it is its `user_version` (here: schema version). A migration that has been released is
 * never edited: a change is one more entry at the end of the list.
 */
import type Database from 'better-sqlite3';

/** "FrWt" in ASCII. */
const APPLICATION_ID = 0x46725774;

/** "FrWs": stores from before the first release, whose deltas are coded in a way that is not read any more. */
const FORMER_APPLICATION_ID = 0x46725773;

/**
 * Entry i takes a file from schema version i to i + 1.
 *
 * 1: The head is the highest row of `versions`; nothing else names it, so nothing can contradict it. `base` is null
 *    for a version that arrived as a snapshot. Blobs live apart from `versions`, so that listing versions reads few
 *    pages. `undo` takes `version` back to its base. A snapshot of purpose `keyframe` is part of the history; one of
 *    purpose `pin` keeps a pinned version reachable, and goes with the pin unless nothing else leads there any more.
 *    `publisher` has a row where the operator has pinned the publisher's key.
 */
const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE model (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    line_id TEXT NOT NULL,
    model_id TEXT NOT NULL,
    digest TEXT NOT NULL,
    graph BLOB NOT NULL
  ) STRICT;
  CREATE TABLE tensors (
    position INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    shape TEXT NOT NULL,
    file_offset INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE versions (
    version INTEGER PRIMARY KEY CHECK (version >= 1),
    base INTEGER CHECK (base < version),
    root TEXT NOT NULL,
    received_bytes INTEGER NOT NULL,
    received_at_ms INTEGER NOT NULL,
    changed_count INTEGER NOT NULL,
    quarantine_reason TEXT
  ) STRICT;
  CREATE TABLE deltas (
    version INTEGER PRIMARY KEY REFERENCES versions ON DELETE CASCADE,
    payload BLOB NOT NULL,
    undo BLOB NOT NULL
  ) STRICT;
  CREATE TABLE snapshots (
    version INTEGER PRIMARY KEY REFERENCES versions ON DELETE CASCADE,
    purpose TEXT NOT NULL CHECK (purpose IN ('keyframe', 'pin'))
  ) STRICT;
  CREATE TABLE snapshot_chunks (
    id INTEGER PRIMARY KEY,
    version INTEGER NOT NULL REFERENCES snapshots ON DELETE CASCADE,
    chunk_index INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    UNIQUE (version, chunk_index)
  ) STRICT;
  CREATE TABLE publisher (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    configured_key TEXT NOT NULL,
    current_key TEXT NOT NULL
  ) STRICT;
  CREATE TABLE agent_state (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    pinned_version INTEGER REFERENCES versions,
    last_command_id INTEGER NOT NULL
  ) STRICT;
  INSERT INTO agent_state VALUES (1, NULL, 0);
  `,
];

export const SCHEMA_VERSION = MIGRATIONS.length;

/** What a database file turned out to be. */
export type FileKind =
  | { readonly kind: 'blank' }
  | { readonly kind: 'store'; readonly schemaVersion: number }
  | { readonly kind: 'former' }
  | { readonly kind: 'foreign' };

/** Reads what the file behind `connection` is; writes nothing. A database without any table counts as blank. */
export function recogniseFile(connection: Database.Database): FileKind {
  const applicationId = connection.pragma('application_id', { simple: true });
  const schemaVersion = Number(connection.pragma('user_version', { simple: true }));
  if (applicationId === APPLICATION_ID) return { kind: 'store', schemaVersion };
  if (applicationId === FORMER_APPLICATION_ID) return { kind: 'former' };
  const tableCount = connection.prepare<[], number>('SELECT count(*) FROM sqlite_schema').pluck().get();
  const blank = applicationId === 0 && schemaVersion === 0 && tableCount === 0;
  return { kind: blank ? 'blank' : 'foreign' };
}

/** Brings a file of `schemaVersion` (0 for a blank one) up to date, inside the caller's transaction. */
export function migrate(connection: Database.Database, schemaVersion: number): void {
  if (schemaVersion === SCHEMA_VERSION) return;
  for (const migration of MIGRATIONS.slice(schemaVersion)) connection.exec(migration);
  connection.pragma(`application_id = ${APPLICATION_ID}`);
  connection.pragma(`user_version = ${SCHEMA_VERSION}`);
}
