/**
 * What snapshots cost on the wire: the lengths of chunks that are encoded already, and an estimate for those that are
 * not, from a sample that is taken again as training goes on.
 */
import type { Position, WeightsVersion } from '@freshet/protocol/ids';
import { snapshotWireBytes } from '../core/frame-bytes.ts';
import { estimateChunkBytes, sampleCompression } from '../core/snapshot-estimate.ts';
import type { SnapshotPool } from './snapshot-pool.ts';

/** A sample is good for so many versions: weights change their kind over a training, not over a delta. */
const SAMPLE_VERSIONS = 256;

export class SnapshotCost {
  readonly #pool: SnapshotPool;
  #sample: { readonly version: WeightsVersion; readonly compression: number } | null = null;

  constructor(pool: SnapshotPool) {
    this.#pool = pool;
  }

  /**
   * Bytes of all frames of a snapshot of `position` from chunk `firstChunk` on, WebSocket headers included. `weights`,
   * those of about that version, are sampled where no chunk of it is encoded.
   */
  wireBytes(position: Position, weights: Float32Array, signed: boolean, firstChunk = 0): number {
    const known = this.#pool.copyOf(position)?.chunkBytes().slice(firstChunk) ?? [];
    const isEncoded = known.length > 0 && known.every((bytes) => bytes !== null);
    const chunkBytes = isEncoded ? known : this.#estimated(position, weights, firstChunk, known);
    return snapshotWireBytes({ version: position.version, signed, firstChunk, chunkBytes });
  }

  #estimated(
    { version }: Position,
    weights: Float32Array,
    firstChunk: number,
    known: readonly (number | null)[],
  ): number[] {
    const compression = this.#compressionOf(version, weights);
    return estimateChunkBytes(weights.length, compression, firstChunk).map((bytes, i) => known[i] ?? bytes);
  }

  #compressionOf(version: WeightsVersion, weights: Float32Array): number {
    const sample = this.#sample;
    if (sample !== null && Math.abs(version - sample.version) < SAMPLE_VERSIONS) return sample.compression;
    const compression = sampleCompression(weights);
    this.#sample = { version, compression };
    return compression;
  }
}
