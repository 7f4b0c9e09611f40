/** Rows of `snapshots` and `snapshot_chunks`: the full weights of some versions, in pieces. */
import type { WeightsVersion } from '@freshet/protocol/ids';
import type Database from 'better-sqlite3';

/** better-sqlite3 reads a value as a whole: smaller rows keep the copies small that exist at one time. */
const CHUNK_BYTES = 1024 * 1024;

/** `keyframe`: part of the history. `pin`: keeps a pinned version reachable; goes with the pin if it can be spared. */
export type SnapshotPurpose = 'keyframe' | 'pin';

/** Number of rows that the weights of a version take. */
export function chunkCountOf(elementCount: number): number {
  return Math.ceil((elementCount * Float32Array.BYTES_PER_ELEMENT) / CHUNK_BYTES);
}

export class SnapshotTable {
  readonly #newestKeyframe: Database.Statement<[], WeightsVersion>;
  readonly #purpose: Database.Statement<[WeightsVersion], SnapshotPurpose>;
  readonly #insert: Database.Statement<[WeightsVersion, SnapshotPurpose]>;
  readonly #delete: Database.Statement<[WeightsVersion]>;
  readonly #insertChunk: Database.Statement<[WeightsVersion, number, Uint8Array]>;
  readonly #chunks: Database.Statement<[WeightsVersion], Buffer>;

  constructor(connection: Database.Database) {
    this.#newestKeyframe = connection
      .prepare<[], WeightsVersion>(
        `SELECT version FROM snapshots WHERE purpose = 'keyframe' ORDER BY version DESC LIMIT 1`,
      )
      .pluck();
    this.#purpose = connection
      .prepare<[WeightsVersion], SnapshotPurpose>('SELECT purpose FROM snapshots WHERE version = ?')
      .pluck();
    this.#insert = connection.prepare('INSERT INTO snapshots (version, purpose) VALUES (?, ?)');
    this.#delete = connection.prepare('DELETE FROM snapshots WHERE version = ?');
    this.#insertChunk = connection.prepare(
      'INSERT INTO snapshot_chunks (version, chunk_index, bytes) VALUES (?, ?, ?)',
    );
    this.#chunks = connection
      .prepare<[WeightsVersion], Buffer>(
        'SELECT bytes FROM snapshot_chunks WHERE version = ? ORDER BY chunk_index',
      )
      .pluck();
  }

  newestKeyframe(): WeightsVersion | null {
    return this.#newestKeyframe.get() ?? null;
  }

  purposeOf(version: WeightsVersion): SnapshotPurpose | null {
    return this.#purpose.get(version) ?? null;
  }

  /** Stores `weights` as the snapshot of `version` unless it has one. */
  put(version: WeightsVersion, weights: Float32Array, purpose: SnapshotPurpose): void {
    if (this.purposeOf(version) !== null) return;
    this.#insert.run(version, purpose);
    const bytes = bytesOf(weights);
    for (let index = 0; index * CHUNK_BYTES < bytes.length; index++) {
      const chunk = bytes.subarray(index * CHUNK_BYTES, (index + 1) * CHUNK_BYTES);
      this.#insertChunk.run(version, index, chunk);
    }
  }

  delete(version: WeightsVersion): void {
    this.#delete.run(version);
  }

  /** The weights of the snapshot of `version`: fresh memory; null when the chunks do not make `elementCount` of them. */
  read(version: WeightsVersion, elementCount: number): Float32Array | null {
    const weights = new Float32Array(elementCount);
    const bytes = bytesOf(weights);
    let offset = 0;
    for (const chunk of this.#chunks.iterate(version)) {
      if (chunk.length > bytes.length - offset) return null;
      bytes.set(chunk, offset);
      offset += chunk.length;
    }
    return offset === bytes.length ? weights : null;
  }
}

function bytesOf(weights: Float32Array): Uint8Array {
  return new Uint8Array(weights.buffer, weights.byteOffset, weights.byteLength);
}
