/**
 * Sparse changes of a flat weight vector, and the algebra on them: diff, apply, undo, compose. Everything works on
 * the 32 bits of each float, never through float arithmetic, so that NaN payloads and −0 survive.
 * All functions are pure but `applyDelta`, which writes into the weights it is given.
 */
import { assert } from './assert.ts';

/**
 * New values at strictly ascending positions. `valueBits[i]` is the IEEE 754 binary32 pattern that position
 * `indices[i]` holds afterwards: absolute, so that applying it twice is harmless and nothing drifts.
 */
export interface SparseDelta {
  readonly indices: Uint32Array;
  readonly valueBits: Uint32Array;
}

/** The bit patterns of `weights`: a view on the same memory, not a copy. */
export function bitsOf(weights: Float32Array): Uint32Array {
  return new Uint32Array(weights.buffer, weights.byteOffset, weights.length);
}

/**
 * Writes `delta` into `weights` and returns the delta that takes it back: the bits that stood at the same positions.
 * The indices array of the result is shared with `delta`.
 */
export function applyDelta(weights: Float32Array, delta: SparseDelta): SparseDelta {
  const { indices, valueBits } = delta;
  assert(indices.length === valueBits.length, 'a delta has one value per index');
  assert(indices.length === 0 || indices[indices.length - 1]! < weights.length, 'index within the weights');
  const bits = bitsOf(weights);
  const before = new Uint32Array(indices.length);
  for (let i = 0; i < indices.length; i++) {
    const index = indices[i]!;
    before[i] = bits[index]!;
    bits[index] = valueBits[i]!;
  }
  return { indices, valueBits: before };
}

/** The smallest delta that turns `base` into `next` (same length), comparing bit patterns. */
export function diffWeights(base: Float32Array, next: Float32Array): SparseDelta {
  assert(base.length === next.length, 'both weight vectors have the same length');
  const baseBits = bitsOf(base);
  const nextBits = bitsOf(next);
  let count = 0;
  for (let i = 0; i < baseBits.length; i++) if (baseBits[i] !== nextBits[i]) count++;
  const indices = new Uint32Array(count);
  const valueBits = new Uint32Array(count);
  let at = 0;
  for (let i = 0; i < baseBits.length; i++) {
    if (baseBits[i] === nextBits[i]) continue;
    indices[at] = i;
    valueBits[at] = nextBits[i]!;
    at++;
  }
  return { indices, valueBits };
}

/** One delta with the effect of `first` and then `second`: where both write, `second` wins. */
export function composeDeltas(first: SparseDelta, second: SparseDelta): SparseDelta {
  const countMax = first.indices.length + second.indices.length;
  const indices = new Uint32Array(countMax);
  const valueBits = new Uint32Array(countMax);
  let count = 0;
  let f = 0;
  let s = 0;
  while (f < first.indices.length || s < second.indices.length) {
    const fromFirst = first.indices[f] ?? Number.POSITIVE_INFINITY;
    const fromSecond = second.indices[s] ?? Number.POSITIVE_INFINITY;
    if (fromFirst < fromSecond) {
      indices[count] = fromFirst;
      valueBits[count] = first.valueBits[f]!;
    } else {
      indices[count] = fromSecond;
      valueBits[count] = second.valueBits[s]!;
    }
    if (fromFirst <= fromSecond) f++;
    if (fromSecond <= fromFirst) s++;
    count++;
  }
  return { indices: indices.slice(0, count), valueBits: valueBits.slice(0, count) };
}
