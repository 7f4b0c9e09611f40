/** Chunks of snapshots. */
import { strict as assert } from 'node:assert';
import { decodeSnapshotChunk, encodeSnapshotChunk } from '@freshet/protocol/snapshot-chunk';
import fc from 'fast-check';
import { bytesOfSpec } from '../vectors/bytes-spec.ts';
import { frozenVectors } from '../vectors/frozen-vectors.ts';
import { weightsOfSpec } from '../vectors/vector-weights.ts';
import { floatBits, weights, weightsOfBits } from '../weights.ts';
import type { FuzzSample, FuzzTarget } from './fuzz-target.ts';

const GENERATED_COUNT = 60;
const ELEMENT_COUNT = 2000;

/** Runs of equal patterns, so that all planes travel as frames; and weights whose planes mostly do not. */
const given = fc.oneof(
  weights(ELEMENT_COUNT, ELEMENT_COUNT),
  fc
    .array(floatBits, { minLength: 2, maxLength: 40 })
    .map((patterns) =>
      weightsOfBits(Array.from({ length: ELEMENT_COUNT }, (_, i) => patterns[(i >> 3) % patterns.length]!)),
    ),
);

export function snapshotChunkTarget(seed: number): FuzzTarget {
  const { valid, accepted } = frozenVectors('snapshot-chunk.json');
  return {
    name: 'snapshot-chunk',
    codes: ['SNAPSHOT_MALFORMED'],
    corpus: [
      ...[...valid, ...accepted].map((vector) =>
        sampleOf(bytesOfSpec(vector.chunk), weightsOfSpec(vector.weights).length),
      ),
      ...fc
        .sample(given, { seed, numRuns: GENERATED_COUNT })
        .map((each) => sampleOf(encodeSnapshotChunk(each), ELEMENT_COUNT)),
    ],
  };
}

function sampleOf(chunk: Uint8Array, elementCount: number): FuzzSample {
  return {
    bytes: chunk,
    decode(bytes) {
      const decoded = decodeSnapshotChunk(bytes, elementCount);
      assert.equal(decoded.length, elementCount);
      return new Uint8Array(decoded.buffer, decoded.byteOffset, decoded.byteLength);
    },
  };
}
