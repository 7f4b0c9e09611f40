/** What the numeric tests share: seeded values, errors relative to the size of what is compared, finite differences. */
import { strict as assert } from 'node:assert';
import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { skipN } from 'pure-rand/utils/skipN';

/** `count` values in [-1, 1), the same for the same seed. */
export function seededFloats(count: number, seed: number): Float32Array {
  const generator = xoroshiro128plus(seed);
  skipN(generator, 64);
  return Float32Array.from({ length: count }, () => uniformFloat64(generator) * 2 - 1);
}

/** Numbers of elements of a tensor of this shape. */
export function elementsOf(shape: readonly number[]): number {
  return shape.reduce((product, dimension) => product * dimension, 1);
}

/** Largest |actual − expected|, over the largest |expected| (or 1 where all are smaller). */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  assert.equal(actual.length, expected.length);
  let scale = 1;
  let worst = 0;
  for (let i = 0; i < expected.length; i++) {
    assert.ok(Number.isFinite(actual[i]), `element ${i} is ${actual[i]}`);
    scale = Math.max(scale, Math.abs(expected[i]!));
    worst = Math.max(worst, Math.abs(actual[i]! - expected[i]!));
  }
  return worst / scale;
}

/** Σ a[i]·b[i] in doubles. */
export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

/**
 * The gradient of `f` at `point` by central differences: (f(p + h·eᵢ) − f(p − h·eᵢ)) / 2h for each entry i. Exact but
 * for rounding where f is linear within h of the point.
 */
export function centralDifferences(
  f: (point: Float32Array) => number,
  point: Float32Array,
  h: number,
): Float64Array {
  return Float64Array.from(point, (_, i) => {
    const moved = point.slice();
    moved[i] = point[i]! + h;
    const above = f(moved);
    moved[i] = point[i]! - h;
    return (above - f(moved)) / (2 * h);
  });
}
