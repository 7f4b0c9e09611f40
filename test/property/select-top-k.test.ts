/** Radix selection against sorting. */
import { strict as assert } from 'node:assert';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { selectTopK } from '../../trainer/core/select-top-k.ts';
import '../support/seed.ts';

/** Few distinct values, so that ties at the threshold are the rule; and the whole range of floats. */
const value = fc.oneof(
  fc.constantFrom(0, -0, 1, -1, 2, 1e-45, -1e-45, Number.POSITIVE_INFINITY),
  fc.float({ noNaN: true }),
);

function bySorting(values: Float32Array, k: number): number[] {
  const magnitude = (i: number) => Math.abs(values[i]!);
  // Compared with >, because ∞ − ∞ is NaN.
  const descending = (left: number, right: number) => {
    if (magnitude(left) === magnitude(right)) return left - right;
    return magnitude(left) > magnitude(right) ? -1 : 1;
  };
  const nonZero = [...values.keys()].filter((i) => values[i] !== 0);
  const largest = nonZero.sort(descending).slice(0, k);
  return largest.sort((left, right) => left - right);
}

describe('selectTopK', () => {
  it('selects what sorting by magnitude and index selects', () => {
    fc.assert(
      fc.property(fc.array(value, { maxLength: 200 }), fc.nat(220), (list, k) => {
        const values = Float32Array.from(list);
        assert.deepEqual([...selectTopK(values, k)], bySorting(values, k));
      }),
      { numRuns: 500 },
    );
  });

  it('takes the lower index among equals', () => {
    assert.deepEqual([...selectTopK(Float32Array.of(1, -3, 3, 2, -3, 3), 3)], [1, 2, 4]);
  });

  it('selects no zero, even when k asks for more', () => {
    assert.deepEqual([...selectTopK(Float32Array.of(0, 5, -0, -1), 4)], [1, 3]);
  });

  it('refuses a NaN as a bug of the caller', () => {
    assert.throws(() => selectTopK(Float32Array.of(1, Number.NaN), 1), /no NaN to select from/);
  });
});
