/**
 * Exact selection of the k largest magnitudes, in O(n), by radix: the bit pattern of a non-negative float orders as
 * its value does, so two histograms over the upper and lower halves of that pattern find the k-th largest.
 * (A heap costs O(n log k); tfjs's topk builds an object per element on the CPU.)
 */
import { assert } from '@freshet/protocol/assert';

const MAGNITUDE_MASK = 0x7fff_ffff;
/** Magnitude bits of +∞; everything above is a NaN. */
const INFINITY_BITS = 0x7f80_0000;
const LOW_BITS = 16;
const LOW_MASK = 0xffff;

/**
 * Ascending indices of the `k` elements of `values` largest in magnitude. Zeros are never selected, so fewer may
 * come back. Among equal magnitudes the lower index wins, so the result does not depend on anything but the input.
 * `values` must not hold a NaN (asserted): a NaN has no magnitude to rank.
 */
export function selectTopK(values: Float32Array, k: number): Uint32Array {
  assert(Number.isInteger(k) && k >= 0, 'k is a count');
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const threshold = kthLargestMagnitude(bits, k);
  return collect(bits, threshold.bits, threshold.above, k);
}

interface Threshold {
  /** Magnitude bits of the k-th largest element, or 1 when fewer than k are non-zero. */
  readonly bits: number;
  /** How many elements are strictly larger. */
  readonly above: number;
}

function kthLargestMagnitude(bits: Uint32Array, k: number): Threshold {
  const upper = descend(highHistogram(bits), k, 0);
  if (upper === null) return { bits: 1, above: 0 };
  const lower = descend(lowHistogram(bits, upper.bucket), k, upper.above);
  assert(lower !== null, 'the bucket holds the k-th largest');
  return { bits: (upper.bucket << LOW_BITS) | lower.bucket, above: lower.above };
}

/** How many elements have which upper half of the magnitude; zeros are not counted. */
function highHistogram(bits: Uint32Array): Uint32Array {
  const histogram = new Uint32Array(1 << (31 - LOW_BITS));
  let zeros = 0;
  let largest = 0;
  for (let i = 0; i < bits.length; i++) {
    const magnitude = bits[i]! & MAGNITUDE_MASK;
    if (magnitude === 0) zeros++;
    if (magnitude > largest) largest = magnitude;
    histogram[magnitude >>> LOW_BITS]!++;
  }
  assert(largest <= INFINITY_BITS, 'no NaN to select from');
  histogram[0]! -= zeros;
  return histogram;
}

/** The same of the lower half, among the elements whose upper half is `high`. */
function lowHistogram(bits: Uint32Array, high: number): Uint32Array {
  const histogram = new Uint32Array(1 << LOW_BITS);
  for (let i = 0; i < bits.length; i++) {
    const magnitude = bits[i]! & MAGNITUDE_MASK;
    if (magnitude >>> LOW_BITS === high && magnitude !== 0) histogram[magnitude & LOW_MASK]!++;
  }
  return histogram;
}

/** The bucket, from the top, in which the k-th element falls, and how many stand above it; null if there are fewer. */
function descend(
  histogram: Uint32Array,
  k: number,
  aboveStart: number,
): { bucket: number; above: number } | null {
  let above = aboveStart;
  for (let bucket = histogram.length - 1; bucket >= 0; bucket--) {
    const count = histogram[bucket]!;
    if (above + count >= k && count > 0) return { bucket, above };
    above += count;
  }
  return null;
}

/** One pass in index order: all above the threshold, and of those equal to it the first that fill up k. */
function collect(bits: Uint32Array, threshold: number, above: number, k: number): Uint32Array {
  const indices = new Uint32Array(Math.min(k, bits.length));
  let equalsLeft = k - above;
  let count = 0;
  for (let i = 0; i < bits.length && count < k; i++) {
    const magnitude = bits[i]! & MAGNITUDE_MASK;
    if (magnitude < threshold) continue;
    if (magnitude === threshold) {
      if (equalsLeft === 0) continue;
      equalsLeft--;
    }
    indices[count++] = i;
  }
  return indices.slice(0, count);
}
