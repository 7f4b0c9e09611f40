/**
 * The statements of the version log: line, model, versions, deltas and snapshots as rows. The model is checked when it is
 * read; what the bytes of versions have to mean is the business of version-log.ts.
 */
import { FreshetError } from '@freshet/protocol/errors';
import {
  asLineId,
  asModelDigest,
  asRoot,
  asWeightsVersion,
  type LineId,
  type Position,
  type Root,
  type WeightsVersion,
} from '@freshet/protocol/ids';
import { checkTensors, type Model, makeModel } from '@freshet/protocol/model';
import * as v from 'valibot';
import { corrupt, type LogDatabase } from './version-log-database.ts';

/** What the learner knew when it published. */
export interface VersionNote {
  /** Optimiser steps so far. */
  readonly step: number;
  readonly samplesSeen: number;
  /** Share of stream samples predicted right before training on them; null when not measured. */
  readonly prequentialAccuracy: number | null;
  readonly loss: number | null;
}

export interface VersionInfo extends VersionNote {
  readonly version: WeightsVersion;
  readonly root: Root;
  readonly createdAtMs: number;
  /** Payload of the delta that leads to this version; null for the first one. */
  readonly deltaBytes: number | null;
}

export interface StoredDelta {
  readonly base: WeightsVersion;
  readonly next: WeightsVersion;
  /** Root of `next`. */
  readonly root: Root;
  readonly payload: Uint8Array;
}

interface VersionRow {
  readonly version: number;
  readonly root: string;
  readonly created_at_ms: number;
  readonly delta_bytes: number | null;
  readonly step: number;
  readonly samples_seen: number;
  readonly prequential_accuracy: number | null;
  readonly loss: number | null;
}

interface DeltaRow {
  readonly next: number;
  readonly root: string;
  readonly payload: Buffer;
}

interface UndoRow {
  readonly next: number;
  readonly undo: Buffer;
}

/** Weights are stored in rows this large, so that no row needs one huge allocation. */
const SNAPSHOT_ROW_BYTES = 1024 * 1024;

export class VersionLogRows {
  readonly #database: LogDatabase;

  constructor(database: LogDatabase) {
    this.#database = database;
  }

  lineId(): LineId | null {
    const lineId = this.#database.prepare<[], string>('SELECT line_id FROM line').pluck().get();
    return lineId === undefined ? null : asLineId(lineId);
  }

  insertLine(lineId: LineId, createdAtMs: number): void {
    this.#database
      .prepare<[string, number]>('INSERT INTO line (id, line_id, created_at_ms) VALUES (1, ?, ?)')
      .run(lineId, createdAtMs);
  }

  /**
   * @throws STORE_CORRUPT when name and graph have another digest than was put in, or the tensors are not those of the
   * graph
   */
  model(): Model | null {
    const row = this.#database
      .prepare<[], { model_id: string; digest: string; tensors: string; graph: Buffer }>(
        'SELECT model_id, digest, tensors, graph FROM model',
      )
      .get();
    if (row === undefined) return null;
    const { path } = this.#database;
    const model = makeModel(row.model_id, parseTensors(path, row.tensors), row.graph);
    if (model.digest !== asModelDigest(row.digest)) {
      throw corrupt(path, new Error('the model does not match its digest'));
    }
    try {
      checkTensors(model);
    } catch (cause) {
      throw cause instanceof FreshetError ? corrupt(path, cause) : cause;
    }
    return model;
  }

  insertModel(model: Model): void {
    this.#database
      .prepare<[string, string, string, Uint8Array]>(
        'INSERT INTO model (id, model_id, digest, tensors, graph) VALUES (1, ?, ?, ?, ?)',
      )
      .run(model.modelId, model.digest, JSON.stringify(model.tensors), model.graph);
  }

  newest(): Position | null {
    const row = this.#database
      .prepare<[], { version: number; root: string }>(
        'SELECT version, root FROM versions ORDER BY version DESC LIMIT 1',
      )
      .get();
    return row === undefined ? null : { version: asWeightsVersion(row.version), root: asRoot(row.root) };
  }

  rootOf(version: WeightsVersion): Root | null {
    const root = this.#database
      .prepare<[number], string>('SELECT root FROM versions WHERE version = ?')
      .pluck()
      .get(version);
    return root === undefined ? null : asRoot(root);
  }

  insertVersion(position: Position, createdAtMs: number, deltaBytes: number | null, note: VersionNote): void {
    this.#database
      .prepare<[VersionRow]>(
        `INSERT INTO versions VALUES (
          @version, @root, @created_at_ms, @delta_bytes, @step, @samples_seen, @prequential_accuracy, @loss
        )`,
      )
      .run({
        version: position.version,
        root: position.root,
        created_at_ms: createdAtMs,
        delta_bytes: deltaBytes,
        step: note.step,
        samples_seen: note.samplesSeen,
        prequential_accuracy: note.prequentialAccuracy,
        loss: note.loss,
      });
  }

  /** Newest first, at most `limit`, below `before` where given. */
  versions(limit: number, before: number): readonly VersionInfo[] {
    return this.#database
      .prepare<[number, number], VersionRow>(
        'SELECT * FROM versions WHERE version < ? ORDER BY version DESC LIMIT ?',
      )
      .all(before, limit)
      .map((row) => ({
        version: asWeightsVersion(row.version),
        root: asRoot(row.root),
        createdAtMs: row.created_at_ms,
        deltaBytes: row.delta_bytes,
        step: row.step,
        samplesSeen: row.samples_seen,
        prequentialAccuracy: row.prequential_accuracy,
        loss: row.loss,
      }));
  }

  insertDelta(next: WeightsVersion, payload: Uint8Array, undo: Uint8Array): void {
    this.#database
      .prepare<[number, Uint8Array, Uint8Array]>('INSERT INTO deltas (next, payload, undo) VALUES (?, ?, ?)')
      .run(next, payload, undo);
  }

  /** The deltas that lead from `base` to `through`, in order. Finish iterating before the next write. */
  *deltas(base: number, through: number): IterableIterator<StoredDelta> {
    const rows = this.#database
      .prepare<[number, number], DeltaRow>(
        `SELECT deltas.next AS next, root, payload FROM deltas JOIN versions ON version = deltas.next
         WHERE deltas.next > ? AND deltas.next <= ? ORDER BY deltas.next`,
      )
      .iterate(base, through);
    for (const { next, root, payload } of rows) {
      yield { base: asWeightsVersion(next - 1), next: asWeightsVersion(next), root: asRoot(root), payload };
    }
  }

  /** What takes each version from `from` down to `base` + 1 back to the one below. Finish iterating before the next write. */
  undos(from: number, base: number): IterableIterator<UndoRow> {
    return this.#database
      .prepare<[number, number], UndoRow>(
        'SELECT next, undo FROM deltas WHERE next <= ? AND next > ? ORDER BY next DESC',
      )
      .iterate(from, base);
  }

  /** Payload sizes of the deltas that lead from `base` to `through`. Finish iterating before the next write. */
  deltaBytes(base: number, through: number): IterableIterator<number> {
    return this.#database
      .prepare<[number, number], number>(
        'SELECT delta_bytes FROM versions WHERE version > ? AND version <= ? ORDER BY version',
      )
      .pluck()
      .iterate(base, through);
  }

  insertSnapshot(version: WeightsVersion, weights: Float32Array): void {
    const bytes = new Uint8Array(weights.buffer, weights.byteOffset, weights.byteLength);
    const insert = this.#database.prepare<[number, number, Uint8Array]>(
      'INSERT INTO snapshots (version, chunk, bytes) VALUES (?, ?, ?)',
    );
    const chunkCount = Math.max(1, Math.ceil(bytes.length / SNAPSHOT_ROW_BYTES));
    for (let chunk = 0; chunk < chunkCount; chunk++) {
      insert.run(
        version,
        chunk,
        bytes.subarray(chunk * SNAPSHOT_ROW_BYTES, (chunk + 1) * SNAPSHOT_ROW_BYTES),
      );
    }
  }

  /** Newest version at or below `version` that is stored in full. */
  nearestSnapshot(version: number): WeightsVersion | null {
    const nearest = this.#database
      .prepare<[number], number | null>('SELECT max(version) FROM snapshots WHERE version <= ?')
      .pluck()
      .get(version);
    return nearest === undefined || nearest === null ? null : asWeightsVersion(nearest);
  }

  /** The `limit` oldest versions at or below `version` that are stored in full, oldest first. */
  oldestSnapshots(version: number, limit: number): readonly WeightsVersion[] {
    return this.#database
      .prepare<[number, number], number>(
        'SELECT DISTINCT version FROM snapshots WHERE version <= ? ORDER BY version LIMIT ?',
      )
      .pluck()
      .all(version, limit)
      .map(asWeightsVersion);
  }

  /**
   * Weights of a stored snapshot: a new array.
   * @throws STORE_CORRUPT when its rows are not `elementCount` weights.
   */
  snapshot(version: WeightsVersion, elementCount: number): Float32Array {
    const weights = new Float32Array(elementCount);
    const bytes = new Uint8Array(weights.buffer);
    let offset = 0;
    const rows = this.#database
      .prepare<[number], Buffer>('SELECT bytes FROM snapshots WHERE version = ? ORDER BY chunk')
      .pluck()
      .iterate(version);
    for (const row of rows) {
      if (offset + row.length > bytes.length) break;
      bytes.set(row, offset);
      offset += row.length;
    }
    if (offset !== bytes.length) {
      throw corrupt(this.#database.path, new Error(`snapshot ${version} has not the model's length`));
    }
    return weights;
  }

  /** Forgets everything that is only needed for versions below `floor`, itself a snapshot. */
  pruneBelow(floor: WeightsVersion): void {
    const database = this.#database;
    database.prepare<[number]>('DELETE FROM deltas WHERE next <= ?').run(floor);
    database.prepare<[number]>('DELETE FROM snapshots WHERE version < ?').run(floor);
    database.prepare<[number]>('DELETE FROM versions WHERE version < ?').run(floor);
  }
}

/** Of the tensors no more than the types: `checkTensors` says whether they are the right ones. */
const TENSORS = v.array(
  v.object({
    name: v.string(),
    shape: v.array(v.number()),
    elementOffset: v.number(),
    elementCount: v.number(),
    fileOffset: v.number(),
  }),
);

function parseTensors(path: string, json: string): Model['tensors'] {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (cause) {
    throw corrupt(path, cause);
  }
  const parsed = v.safeParse(TENSORS, value);
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  throw corrupt(path, new Error(`stored tensors: ${v.getDotPath(issue) ?? 'all'}: ${issue.message}`));
}
