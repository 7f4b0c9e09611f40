/** Arbitraries for what a delta payload depends on: layouts, formats, weights, and changes of these. */
import { bitsOf, type SparseDelta } from '@freshet/protocol/delta';
import type { DeltaLayout } from '@freshet/protocol/delta-payload';
import { VALUE_FORMATS, type ValueFormat } from '@freshet/protocol/payload/value-format';
import fc from 'fast-check';
import { floatBits, weightsOfBits } from './weights.ts';

/** The layout of tensors with these numbers of weights. */
export function layoutOf(elementCounts: readonly number[]): DeltaLayout {
  let elementOffset = 0;
  const tensors = elementCounts.map((elementCount) => {
    const tensor = { elementOffset, elementCount };
    elementOffset += elementCount;
    return tensor;
  });
  return { tensors, elementCount: elementOffset };
}

/** None to some tensors, many of them without a weight or with one only. */
export const layout: fc.Arbitrary<DeltaLayout> = fc
  .array(fc.oneof(fc.constantFrom(0, 1), fc.nat({ max: 60 })), { maxLength: 6 })
  .map(layoutOf);

/** Patterns of finite numbers: denormals, both zeros and the largest ones among them. */
export const finiteBits: fc.Arbitrary<number> = fc.oneof(
  floatBits.map((bits) => ((bits & 0x7f80_0000) === 0x7f80_0000 ? (bits & 0xbfff_ffff) >>> 0 : bits)),
  fc.constantFrom(0, 0x8000_0000, 1, 0x8000_0001, 0x7f7f_ffff, 0xff7f_ffff),
  // What weights mostly are.
  fc.double({ min: -2, max: 2, noNaN: true }).map((value) => bitsOf(Float32Array.of(value))[0]!),
);

/** A delta with weights that it is for. */
export interface Change {
  readonly layout: DeltaLayout;
  readonly base: Float32Array;
  readonly delta: SparseDelta;
}

/** How many of the weights change: none, all, or any share; and in what way: anything, to a neighbour, not at all. */
export function change(bits: fc.Arbitrary<number>): fc.Arbitrary<Change> {
  return layout.chain((drawn) => {
    const { elementCount } = drawn;
    const each = <Value>(value: fc.Arbitrary<Value>) =>
      fc.array(value, { minLength: elementCount, maxLength: elementCount });
    return fc
      .record({
        base: each(bits),
        threshold: fc.oneof(fc.constantFrom(0, 1), fc.double({ min: 0, max: 1, noNaN: true })),
        draws: each(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })),
        values: each(
          fc.oneof(
            bits,
            fc.integer({ min: -3, max: 3 }).map((steps) => ({ steps })),
          ),
        ),
      })
      .map(({ base, threshold, draws, values }) => {
        const indices = Uint32Array.from([...draws.keys()].filter((index) => draws[index]! < threshold));
        const valueBits = indices.map((index) => {
          const value = values[index]!;
          return typeof value === 'number' ? value : besides(base[index]!, value.steps);
        });
        return { layout: drawn, base: weightsOfBits(base), delta: { indices, valueBits } };
      });
  });
}

/** The pattern so many places from `bits` with the same sign and, to stay finite, the same exponent. */
function besides(bits: number, steps: number): number {
  return ((bits & 0xff80_0000) | ((bits + steps) & 0x7f_ffff)) >>> 0;
}

/** A format for each of up to as many tensors as a layout has here. */
export const formatsOfTensors: fc.Arbitrary<(layout: DeltaLayout) => readonly ValueFormat[]> = fc
  .array(fc.constantFrom(...VALUE_FORMATS), { minLength: 6, maxLength: 6 })
  .map(
    (drawn) =>
      ({ tensors }) =>
        drawn.slice(0, tensors.length),
  );
