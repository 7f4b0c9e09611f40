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
 * 2: Samples that wait to be sent to the hub, oldest first by `serial`, and those that will never be taken. `name` is what
 *    the client calls a sample, `id` what it is called on the wire. The row of `feedback_state` holds what samples look
 *    like (null before a hub has said so), the limits of the queue, what is in it, and what has become of the samples
 *    that are not. Input, the large column, comes last: SQLite reads a row from its front.
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
  `
  CREATE TABLE feedback_state (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    input_shape TEXT,
    input_type TEXT CHECK (input_type IN ('uint8', 'float32')),
    target_kind TEXT CHECK (target_kind IN ('class', 'vector')),
    target_count INTEGER,
    samples_max INTEGER NOT NULL,
    bytes_max INTEGER NOT NULL,
    waiting INTEGER NOT NULL CHECK (waiting >= 0),
    waiting_bytes INTEGER NOT NULL CHECK (waiting_bytes >= 0),
    taken INTEGER NOT NULL,
    duplicates INTEGER NOT NULL,
    refused INTEGER NOT NULL
  ) STRICT;
  INSERT INTO feedback_state VALUES (1, NULL, NULL, NULL, NULL, 10000, 268435456, 0, 0, 0, 0, 0);
  CREATE TABLE feedback_queue (
    serial INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    name TEXT,
    queued_at_ms INTEGER NOT NULL,
    label INTEGER,
    target BLOB,
    input BLOB NOT NULL,
    CHECK ((label IS NULL) = (target IS NOT NULL))
  ) STRICT;
  CREATE TABLE feedback_refused (
    serial INTEGER PRIMARY KEY,
    name TEXT,
    queued_at_ms INTEGER NOT NULL,
    refused_at_ms INTEGER NOT NULL,
    reason TEXT NOT NULL
  ) STRICT;
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
