/**
 * Tables of the sample log. A schema version is the number of migrations applied; migrations are only ever added.
 *
 *   format         one row: what a sample of this log looks like
 *   state          one row: how far arrival, training and the recipe's own source have come; `learner` grows by one
 *                  with each learner that takes the log over
 *   samples        one row per sample that is kept. One of the recipe's own source is a row with its place in the
 *                  source only; the bytes are there
 *   forgotten_ids  ids of samples that are not kept any more, newest last
 *   steps          for each training step since the last checkpoint, the arrivals that it was the first to see: from
 *                  the step's before to `arrival_end`
 */

/** "FrSl" in the header of the file: tells a sample log from any other SQLite file. */
export const SAMPLE_LOG_APPLICATION_ID = 0x4672536c;

// The large column comes last: SQLite reads a row from its front and follows overflow pages only as far as it must.
export const SAMPLE_LOG_MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE format (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    input_shape TEXT NOT NULL,
    input_type TEXT NOT NULL,
    target_kind TEXT NOT NULL,
    target_count INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE state (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    arrival_end INTEGER NOT NULL,
    taken_end INTEGER NOT NULL CHECK (taken_end <= arrival_end),
    step INTEGER NOT NULL,
    source_end INTEGER NOT NULL,
    sample_count INTEGER NOT NULL CHECK (sample_count >= 0),
    learner INTEGER NOT NULL
  ) STRICT;
  INSERT INTO state VALUES (1, 0, 0, -1, 0, 0, 0);

  CREATE TABLE samples (
    arrival INTEGER PRIMARY KEY,
    id BLOB,
    source_index INTEGER,
    arrived_ms INTEGER NOT NULL,
    origin TEXT NOT NULL,
    checksum INTEGER,
    target BLOB,
    input BLOB,
    CHECK ((source_index IS NULL) = (input IS NOT NULL)),
    CHECK ((input IS NULL) = (target IS NULL)),
    CHECK ((input IS NULL) = (checksum IS NULL))
  ) STRICT;
  CREATE UNIQUE INDEX samples_id ON samples (id) WHERE id IS NOT NULL;

  CREATE TABLE forgotten_ids (
    serial INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE
  ) STRICT;

  CREATE TABLE steps (
    step INTEGER PRIMARY KEY,
    arrival_end INTEGER NOT NULL
  ) STRICT;
  `,
];
