/**
 * What snapshots cost on the wire: the lengths of chunks that are encoded already, and an estimate for those that are
 * not, from a sample that is taken again as training goes on.
 */
import type { Position, WeightsVersion } from '@freshet/protocol/ids';
import { snapshotChunkCount } from '@freshet/protocol/snapshot-chunk';
import { snapshotWireBytes } from '../core/frame-bytes.ts';
import { type ChunkSample, estimateChunkBytes, sampleChunks } from '../core/snapshot-estimate.ts';
import type { SnapshotPool } from './snapshot-pool.ts';

/** A sample is good for so many versions: weights change their kind over a training, not over a delta. */
const SAMPLE_VERSIONS = 256;

export interface SnapshotPrice {
  /** All frames, WebSocket headers included. */
  readonly wireBytes: number;
  /** Whether the lengths of some chunks were guessed. */
  readonly isEstimated: boolean;
}

interface VersionSample extends ChunkSample {
  readonly version: WeightsVersion;
}

export class SnapshotCost {
  readonly #pool: SnapshotPool;
  readonly #signed: boolean;
  /** Of a version that was the head. */
  #sample: VersionSample | null = null;

  /** `signed`: whether the proof in `snapshotBegin` carries a signature. */
  constructor(pool: SnapshotPool, signed: boolean) {
    this.#pool = pool;
    this.#signed = signed;
  }

  /**
   * Of a snapshot of `position` from chunk `firstChunk` on. `headWeights`, those of about that version, are sampled where
   * the last sample is too old.
   */
  price(position: Position, headWeights: Float32Array, firstChunk = 0): SnapshotPrice {
    const { version } = position;
    if (this.#sample === null || Math.abs(version - this.#sample.version) >= SAMPLE_VERSIONS) {
      this.#sample = { version, ...sampleChunks(headWeights) };
    }
    return this.#priceBy(this.#sample, position, headWeights.length, firstChunk);
  }

  /** Of a whole snapshot of a version that was not the head lately, whose `weights` are sampled for this answer alone. */
  priceOfOld(position: Position, weights: Float32Array): SnapshotPrice {
    return this.#priceBy(
      { version: position.version, ...sampleChunks(weights) },
      position,
      weights.length,
      0,
    );
  }

  #priceBy(
    sample: VersionSample,
    position: Position,
    elementCount: number,
    firstChunk: number,
  ): SnapshotPrice {
    const encoded = this.#pool.copyOf(position)?.chunkBytes() ?? [];
    const sampled = sample.version === position.version ? sample.bytes : null;
    const known = Array.from(
      { length: snapshotChunkCount(elementCount) - firstChunk },
      (_, i) => encoded[firstChunk + i] ?? sampled?.get(firstChunk + i) ?? null,
    );
    const expected = estimateChunkBytes(elementCount, sample.compression, firstChunk);
    const chunkBytes = known.map((bytes, i) => bytes ?? expected[i]!);
    return {
      wireBytes: snapshotWireBytes({
        version: position.version,
        signed: this.#signed,
        firstChunk,
        chunkBytes,
      }),
      isEstimated: known.includes(null),
    };
  }
}
