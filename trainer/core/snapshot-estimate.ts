/**
 * What the chunks of a snapshot will take once they are encoded, without encoding them all: a few are, spread evenly
 * over the weights, and the rest is taken to compress alike. Nothing is guessed where there are at most SAMPLE_CHUNKS
 * chunks; larger models are off by what layers differ in (a percent of ResNet-18's bytes), as most of a weight is noise
 * everywhere.
 */
import {
  encodeSnapshotChunk,
  SNAPSHOT_CHUNK_ELEMENTS,
  snapshotChunkCount,
  snapshotChunkElements,
} from '@freshet/protocol/snapshot-chunk';

/** About a millisecond each. */
const SAMPLE_CHUNKS = 4;

export interface ChunkSample {
  /** Encoded length by chunk number, of the few that were encoded. */
  readonly bytes: ReadonlyMap<number, number>;
  /** Encoded bytes over the bytes of the weights themselves, of these together. */
  readonly compression: number;
}

/** Encodes a few chunks of `weights`, which are only read: all of them where there are no more than a few. */
export function sampleChunks(weights: Float32Array): ChunkSample {
  const chunkCount = snapshotChunkCount(weights.length);
  const sampleCount = Math.min(SAMPLE_CHUNKS, chunkCount);
  const bytes = new Map<number, number>();
  let encodedBytes = 0;
  let rawBytes = 0;
  for (let i = 0; i < sampleCount; i++) {
    // The middle of each of equal parts: neither the small first layers nor the last alone.
    const index = Math.floor(((2 * i + 1) * chunkCount) / (2 * sampleCount));
    const chunk = chunkOf(weights, index);
    const { length } = encodeSnapshotChunk(chunk);
    bytes.set(index, length);
    encodedBytes += length;
    rawBytes += chunk.byteLength;
  }
  return { bytes, compression: rawBytes === 0 ? 1 : encodedBytes / rawBytes };
}

/** Expected encoded length of each chunk from `firstChunk` on, of a model of `elementCount` weights. */
export function estimateChunkBytes(elementCount: number, compression: number, firstChunk = 0): number[] {
  const chunkCount = snapshotChunkCount(elementCount);
  return Array.from({ length: Math.max(0, chunkCount - firstChunk) }, (_, i) => {
    const rawBytes = snapshotChunkElements(firstChunk + i, elementCount) * Float32Array.BYTES_PER_ELEMENT;
    return Math.max(1, Math.round(rawBytes * compression));
  });
}

/** The weights of chunk `index`: a view. */
export function chunkOf(weights: Float32Array, index: number): Float32Array {
  return weights.subarray(index * SNAPSHOT_CHUNK_ELEMENTS, (index + 1) * SNAPSHOT_CHUNK_ELEMENTS);
}
