/** Rows of `versions` and `deltas`: what each retained version is and how to get to it from its base and back. */
import type { Position, Root, WeightsVersion } from '@freshet/protocol/ids';
import type Database from 'better-sqlite3';

/** A retained version as the routes between versions see it. */
export interface HistoryEntry {
  readonly version: WeightsVersion;
  readonly root: Root;
  /** The version that its delta starts from; null for one that arrived as a snapshot. May be retained no longer. */
  readonly base: WeightsVersion | null;
  readonly hasSnapshot: boolean;
}

/** What the store tells about a retained version. */
export interface VersionInfo extends HistoryEntry {
  readonly kind: 'snapshot' | 'delta';
  /** Bytes of the delta's payload or of the snapshot's weights, as they were received. */
  readonly bytes: number;
  readonly receivedAtMs: number;
  /** Weights that its delta wrote; all of them for a snapshot. */
  readonly changedCount: number;
  readonly state: 'ok' | 'quarantined';
  /** Why it is quarantined. */
  readonly reason: string | null;
}

export interface NewVersion {
  readonly position: Position;
  readonly base: WeightsVersion | null;
  readonly bytes: number;
  readonly receivedAtMs: number;
  readonly changedCount: number;
}

/** The two payloads of a delta; fresh memory. */
export interface DeltaRecord {
  readonly payload: Uint8Array;
  readonly undo: Uint8Array;
}

interface VersionRow {
  readonly version: WeightsVersion;
  readonly root: Root;
  readonly base: WeightsVersion | null;
  readonly received_bytes: number;
  readonly received_at_ms: number;
  readonly changed_count: number;
  readonly quarantine_reason: string | null;
  readonly snapshot: WeightsVersion | null;
}

const SELECT_VERSION = `
  SELECT version, root, base, received_bytes, received_at_ms, changed_count, quarantine_reason,
    snapshots.version AS snapshot
  FROM versions LEFT JOIN snapshots USING (version)`;

export class VersionTable {
  readonly #all: Database.Statement<[], VersionRow>;
  readonly #one: Database.Statement<[WeightsVersion], VersionRow>;
  readonly #newest: Database.Statement<[], Position>;
  readonly #newestServable: Database.Statement<[], Position>;
  readonly #position: Database.Statement<[WeightsVersion], Position>;
  readonly #baseOfNext: Database.Statement<[WeightsVersion], WeightsVersion | null>;
  readonly #countAfter: Database.Statement<[WeightsVersion], number>;
  readonly #insert: Database.Statement<[number, number | null, string, number, number, number]>;
  readonly #insertDelta: Database.Statement<[WeightsVersion, Uint8Array, Uint8Array]>;
  readonly #delta: Database.Statement<[WeightsVersion], DeltaRecord>;
  readonly #quarantine: Database.Statement<[string, WeightsVersion]>;
  readonly #prune: Database.Statement<[number, WeightsVersion, WeightsVersion | null, number]>;

  constructor(connection: Database.Database) {
    this.#all = connection.prepare(`${SELECT_VERSION} ORDER BY version`);
    this.#one = connection.prepare(`${SELECT_VERSION} WHERE version = ?`);
    this.#newest = connection.prepare('SELECT version, root FROM versions ORDER BY version DESC LIMIT 1');
    this.#newestServable = connection.prepare(
      'SELECT version, root FROM versions WHERE quarantine_reason IS NULL ORDER BY version DESC LIMIT 1',
    );
    this.#position = connection.prepare('SELECT version, root FROM versions WHERE version = ?');
    this.#baseOfNext = connection
      .prepare<[WeightsVersion], WeightsVersion | null>(
        'SELECT base FROM versions WHERE version > ? ORDER BY version LIMIT 1',
      )
      .pluck();
    this.#countAfter = connection
      .prepare<[WeightsVersion], number>('SELECT count(*) FROM versions WHERE version > ?')
      .pluck();
    this.#insert = connection.prepare(`
      INSERT INTO versions (version, base, root, received_bytes, received_at_ms, changed_count)
      VALUES (?, ?, ?, ?, ?, ?)`);
    this.#insertDelta = connection.prepare('INSERT INTO deltas (version, payload, undo) VALUES (?, ?, ?)');
    this.#delta = connection.prepare('SELECT payload, undo FROM deltas WHERE version = ?');
    this.#quarantine = connection.prepare('UPDATE versions SET quarantine_reason = ? WHERE version = ?');
    // Without a version at that offset the comparison is with NULL and nothing goes.
    this.#prune = connection.prepare(`
      DELETE FROM versions WHERE version IN (
        SELECT version FROM versions
        WHERE version < (SELECT version FROM versions ORDER BY version DESC LIMIT 1 OFFSET ?)
          AND version < ? AND version IS NOT ?
        ORDER BY version LIMIT ?)`);
  }

  /** All retained versions, ascending. */
  all(): VersionInfo[] {
    return this.#all.all().map(versionInfo);
  }

  find(version: WeightsVersion): VersionInfo | null {
    const row = this.#one.get(version);
    return row === undefined ? null : versionInfo(row);
  }

  newest(): Position | null {
    return this.#newest.get() ?? null;
  }

  /** The newest version that is not quarantined. */
  newestServable(): Position | null {
    return this.#newestServable.get() ?? null;
  }

  position(version: WeightsVersion): Position | null {
    return this.#position.get(version) ?? null;
  }

  /** Whether `version` is the head or the base of the version after it, so that an undo record leads to it. */
  isReachableFromAbove(version: WeightsVersion): boolean {
    const baseOfNext = this.#baseOfNext.get(version);
    return baseOfNext === undefined || baseOfNext === version;
  }

  countAfter(version: WeightsVersion): number {
    return this.#countAfter.get(version) ?? 0;
  }

  insert({ position, base, bytes, receivedAtMs, changedCount }: NewVersion): void {
    this.#insert.run(position.version, base, position.root, bytes, receivedAtMs, changedCount);
  }

  insertDelta(version: WeightsVersion, { payload, undo }: DeltaRecord): void {
    this.#insertDelta.run(version, payload, undo);
  }

  delta(version: WeightsVersion): DeltaRecord | null {
    return this.#delta.get(version) ?? null;
  }

  quarantine(version: WeightsVersion, reason: string): void {
    this.#quarantine.run(reason, version);
  }

  /**
   * Drops the oldest versions, with their deltas and snapshots, but none of the newest `keepVersions`, none from
   * `newestKeyframe` on and not `pinned`; at most `dropMax` of them, so that no commit takes long.
   *
   * Every version that stays can still be reached. Versions go oldest first, so what stays of a chain of deltas is
   * its end; the end of a chain is the head or has a keyframe, and undo records lead back from there. From
   * `newestKeyframe` the head can be had without the memory of this process. A pinned version has a snapshot itself.
   */
  prune(
    keepVersions: number,
    newestKeyframe: WeightsVersion,
    pinned: WeightsVersion | null,
    dropMax: number,
  ): void {
    this.#prune.run(keepVersions - 1, newestKeyframe, pinned, dropMax);
  }
}

function versionInfo(row: VersionRow): VersionInfo {
  return {
    version: row.version,
    root: row.root,
    base: row.base,
    hasSnapshot: row.snapshot !== null,
    kind: row.base === null ? 'snapshot' : 'delta',
    bytes: row.received_bytes,
    receivedAtMs: row.received_at_ms,
    changedCount: row.changed_count,
    state: row.quarantine_reason === null ? 'ok' : 'quarantined',
    reason: row.quarantine_reason,
  };
}
