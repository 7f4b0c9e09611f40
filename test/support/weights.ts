/**
 * Arbitraries for weights and deltas. Values are drawn as bit patterns so that NaN payloads, −0, infinities and
 * denormals all occur.
 */
import { strict as assert } from 'node:assert';
import { bitsOf, type SparseDelta } from '@freshet/protocol/delta';
import fc from 'fast-check';

/** Bit patterns with the odd ones over-represented. */
export const floatBits = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 0, max: 0xffff_ffff }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      0,
      0x8000_0000,
      0x7f80_0000,
      0xff80_0000,
      0x7fc0_0001,
      0xffa0_1234,
      1,
      0x3f80_0000,
    ),
  },
);

export function weightsOfBits(bits: ArrayLike<number>): Float32Array {
  return new Float32Array(Uint32Array.from(bits).buffer);
}

/** Weights of `min` to `max` elements. */
export function weights(min: number, max: number): fc.Arbitrary<Float32Array> {
  return fc.array(floatBits, { minLength: min, maxLength: max }).map(weightsOfBits);
}

/** A delta for weights of `elementCount` elements, at any density. */
export function deltaFor(elementCount: number): fc.Arbitrary<SparseDelta> {
  if (elementCount === 0) return fc.constant({ indices: new Uint32Array(0), valueBits: new Uint32Array(0) });
  return fc
    .uniqueArray(fc.tuple(fc.integer({ min: 0, max: elementCount - 1 }), floatBits), {
      selector: ([index]) => index,
      maxLength: elementCount,
    })
    .map((pairs) => {
      pairs.sort(([left], [right]) => left - right);
      return {
        indices: Uint32Array.from(pairs, ([index]) => index),
        valueBits: Uint32Array.from(pairs, ([, bits]) => bits),
      };
    });
}

/** Equality of bit patterns: tells NaN payloads and zeros of different sign apart. */
export function assertSameBits(actual: Float32Array, expected: Float32Array, message?: string): void {
  assert.deepEqual(bitsOf(actual), bitsOf(expected), message);
}
