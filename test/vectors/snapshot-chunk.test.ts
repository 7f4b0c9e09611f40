/** Chunks of snapshots against snapshot-chunk.json, both ways but for what Zstandard writes. */
import { strict as assert } from 'node:assert';
import { describe, it } from 'node:test';
import { decodeSnapshotChunk, encodeSnapshotChunk } from '@freshet/protocol/snapshot-chunk';
import { bytesOfSpec } from '../support/vectors/bytes-spec.ts';
import { frozenVectors } from '../support/vectors/frozen-vectors.ts';
import { hexOf } from '../support/vectors/hex.ts';
import { weightsOfSpec } from '../support/vectors/vector-weights.ts';
import { assertSameBits } from '../support/weights.ts';

const { valid, accepted, invalid } = frozenVectors('snapshot-chunk.json');

describe('a valid chunk', () => {
  for (const { name, weights, chunk } of valid) {
    it(name, () => {
      const expected = weightsOfSpec(weights);
      assertSameBits(decodeSnapshotChunk(bytesOfSpec(chunk), expected.length), expected);
      assert.equal(hexOf(encodeSnapshotChunk(expected)), chunk);
    });
  }
});

describe('a chunk that our encoder may not write', () => {
  for (const { name, weights, chunk } of accepted) {
    it(name, () => {
      const expected = weightsOfSpec(weights);
      assertSameBits(decodeSnapshotChunk(bytesOfSpec(chunk), expected.length), expected);
      assertSameBits(decodeSnapshotChunk(encodeSnapshotChunk(expected), expected.length), expected);
    });
  }
});

describe('an invalid chunk', () => {
  for (const { name, count, chunk, code, reason } of invalid) {
    it(name, () => {
      assert.throws(() => decodeSnapshotChunk(bytesOfSpec(chunk), count), { code, message: reason });
    });
  }
});
