/** Few positions as the rank of their set: the fewest bits there are, and back. */
import { strict as assert } from 'node:assert';
import { describe, it } from 'node:test';
import { FreshetError } from '@freshet/protocol/errors';
import { RawBitReader, RawBitWriter } from '@freshet/protocol/payload/raw-bits';
import { decodeRank, encodeRank, RANKED_COUNT_MAX } from '@freshet/protocol/payload/set-rank';
import fc from 'fast-check';
import '../support/seed.ts';

function encode(indices: readonly number[], elementCount: number): Uint8Array {
  const raw = new RawBitWriter();
  encodeRank(raw, Uint32Array.from(indices), elementCount);
  return raw.finish();
}

const decode = (bytes: Uint8Array, count: number, elementCount: number) => [
  ...decodeRank(new RawBitReader(bytes, 0), count, elementCount),
];

describe('ranked positions', () => {
  it('are numbered as in the combinatorial number system', () => {
    // All sets of two of five in colexicographic order.
    const sets = [
      [0, 1],
      [0, 2],
      [1, 2],
      [0, 3],
      [1, 3],
      [2, 3],
      [0, 4],
      [1, 4],
      [2, 4],
      [3, 4],
    ];
    for (const [rank, set] of sets.entries()) {
      assert.deepEqual([...encode(set, 5)], [rank]);
      assert.deepEqual(decode(Uint8Array.of(rank), 2, 5), set);
    }
  });

  it('take ⌈log2 C(n, k)⌉ bits', () => {
    // C(61706, 6) and C(61706, 13) have 86 and 175 bits, by exact arithmetic.
    assert.equal(encode([0, 1, 2, 3, 4, 5], 61_706).length, Math.ceil(86 / 8));
    assert.equal(
      encode(
        Array.from({ length: 13 }, (_, i) => 61_705 - 12 + i),
        61_706,
      ).length,
      Math.ceil(175 / 8),
    );
    assert.equal(encode([0, 1, 2], 3).length, 0, 'all of them');
  });

  it('come back, whatever they are', () => {
    const model = fc.oneof(fc.integer({ min: 1, max: 130 }), fc.integer({ min: 1, max: 2 ** 28 }));
    const drawn = model.chain((elementCount) =>
      fc.record({
        elementCount: fc.constant(elementCount),
        indices: fc.uniqueArray(
          fc.oneof(
            fc.nat({ max: elementCount - 1 }),
            fc.nat({ max: Math.min(200, elementCount) - 1 }),
            fc.nat({ max: Math.min(200, elementCount) - 1 }).map((back) => elementCount - 1 - back),
          ),
          { minLength: 1, maxLength: RANKED_COUNT_MAX },
        ),
      }),
    );
    fc.assert(
      fc.property(drawn, ({ elementCount, indices }) => {
        const ascending = indices.sort((a, b) => a - b);
        const bytes = encode(ascending, elementCount);
        assert.deepEqual(decode(bytes, ascending.length, elementCount), ascending);
      }),
      { numRuns: 400 },
    );
  });

  it('at both ends of the largest model come back', () => {
    for (const first of [0, 2 ** 28 - RANKED_COUNT_MAX]) {
      const indices = Array.from({ length: RANKED_COUNT_MAX }, (_, i) => first + i);
      assert.deepEqual(decode(encode(indices, 2 ** 28), RANKED_COUNT_MAX, 2 ** 28), indices);
    }
  });

  it('are refused when there is no such set', () => {
    for (const rank of [10, 15]) {
      assert.throws(
        () => decode(Uint8Array.of(rank), 2, 5),
        (error) => error instanceof FreshetError && error.code === 'DELTA_MALFORMED',
      );
    }
  });
});
