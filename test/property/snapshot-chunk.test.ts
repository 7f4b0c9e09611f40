/** Snapshot chunks give back every bit pattern, at every length, and keep to the bounds that a decoder holds. */
import { strict as assert } from 'node:assert';
import { it } from 'node:test';
import { SNAPSHOT_EXPANSION_MAX } from '@freshet/protocol/limits';
import {
  decodeSnapshotChunk,
  encodeSnapshotChunk,
  SNAPSHOT_CHUNK_ELEMENTS,
} from '@freshet/protocol/snapshot-chunk';
import fc from 'fast-check';
import '../support/seed.ts';
import { assertSameBits, floatBits, weights, weightsOfBits } from '../support/weights.ts';

/** Few distinct patterns over many places: planes that compress, unlike those of `weights`. */
const repetitive = fc
  .tuple(fc.array(floatBits, { minLength: 1, maxLength: 5 }), fc.integer({ min: 0, max: 3000 }), fc.integer())
  .map(([patterns, count, salt]) =>
    weightsOfBits(
      Array.from(
        { length: count },
        (_, i) => patterns[(Math.imul(i + salt, 0x9e37_79b1) >>> 16) % patterns.length]!,
      ),
    ),
  );

it('decode ∘ encode = identity, within the bounds', () => {
  fc.assert(
    fc.property(fc.oneof(weights(0, 300), repetitive), (given) => {
      const bytes = encodeSnapshotChunk(given);
      assert(bytes.length <= 1 + given.byteLength);
      assert(given.byteLength <= SNAPSHOT_EXPANSION_MAX * bytes.length);
      assertSameBits(decodeSnapshotChunk(bytes, given.length), given);
    }),
  );
});

it('the weights are only read', () => {
  fc.assert(
    fc.property(weights(0, 100), (given) => {
      const before = given.slice();
      encodeSnapshotChunk(given);
      assertSameBits(given, before);
    }),
  );
});

it('a part of a larger vector is encoded as if it stood alone', () => {
  fc.assert(
    fc.property(weights(4, 100), fc.nat(), (all, cut) => {
      const part = all.subarray(cut % all.length);
      assert.deepEqual(encodeSnapshotChunk(part), encodeSnapshotChunk(part.slice()));
    }),
  );
});

it('a chunk covers 65,536 weights', () => assert.equal(SNAPSHOT_CHUNK_ELEMENTS, 65_536));
