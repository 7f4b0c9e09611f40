/**
 * Tables of the version log. A schema version is the number of migrations applied; migrations are only ever added.
 *
 *   line            one row: the name of this line of versions
 *   publisher_keys  the keys that have signed this line; serial 0 is the first, each later one signed by the one before
 *   model           one row once the learner has exported its model
 *   versions        one row per version that can still be restored
 *   deltas          how to get from version `next` − 1 to `next`, and back
 *   snapshots       all weights of the first version and of each keyframe, in chunks
 *   commands        operator's orders to agents, answered or not
 *   agents          what each agent last reported, and its traffic
 */

/** "FrTs" in the header of the file: tells a version log from any other SQLite file. */
export const VERSION_LOG_APPLICATION_ID = 0x46725473;

/** "FrTr": logs from before the first release, which hold no undo records and deltas in a code that is not read any more. */
export const FORMER_VERSION_LOG_APPLICATION_ID = 0x46725472;

export const VERSION_LOG_MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE line (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    line_id TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE publisher_keys (
    serial INTEGER PRIMARY KEY,
    public_key TEXT NOT NULL UNIQUE,
    signature TEXT CHECK ((signature IS NULL) = (serial = 0)),
    added_at_ms INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE model (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    model_id TEXT NOT NULL,
    digest TEXT NOT NULL,
    tensors TEXT NOT NULL,
    graph BLOB NOT NULL
  ) STRICT;

  CREATE TABLE versions (
    version INTEGER PRIMARY KEY,
    root TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    delta_bytes INTEGER,
    step INTEGER NOT NULL,
    samples_seen INTEGER NOT NULL,
    prequential_accuracy REAL,
    loss REAL
  ) STRICT;

  CREATE TABLE deltas (
    next INTEGER PRIMARY KEY,
    payload BLOB NOT NULL,
    undo BLOB NOT NULL
  ) STRICT;

  CREATE TABLE snapshots (
    version INTEGER NOT NULL,
    chunk INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    UNIQUE (version, chunk)
  ) STRICT;

  CREATE TABLE commands (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    agent_id TEXT NOT NULL,
    action TEXT NOT NULL,
    version INTEGER,
    created_at_ms INTEGER NOT NULL,
    ok INTEGER,
    outcome TEXT
  ) STRICT;
  CREATE INDEX commands_pending ON commands (agent_id, id) WHERE outcome IS NULL;

  CREATE TABLE agents (
    agent_id TEXT PRIMARY KEY,
    software TEXT NOT NULL,
    last_seen_at_ms INTEGER NOT NULL,
    head_version INTEGER,
    head_root TEXT,
    served_version INTEGER,
    served_root TEXT,
    pinned INTEGER NOT NULL,
    bytes_sent INTEGER NOT NULL,
    bytes_received INTEGER NOT NULL,
    bytes_received_reported INTEGER NOT NULL,
    inference_requests INTEGER NOT NULL,
    versions_delivered INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
];
