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
  const high = new Uint32Array(1 << (31 - LOW_BITS));
  for (const pattern of bits) {
    const magnitude = pattern & MAGNITUDE_MASK;
    assert(magnitude <= INFINITY_BITS, 'no NaN to select from');
    if (magnitude !== 0) high[magnitude >>> LOW_BITS]!++;
  }
  const upper = descend(high, k, 0);
  if (upper === null) return { bits: 1, above: 0 };

  const low = new Uint32Array(1 << LOW_BITS);
  for (const pattern of bits) {
    const magnitude = pattern & MAGNITUDE_MASK;
    if (magnitude !== 0 && magnitude >>> LOW_BITS === upper.bucket) low[magnitude & LOW_MASK]!++;
  }
  const lower = descend(low, k, upper.above);
  assert(lower !== null, 'the bucket holds the k-th largest');
  return { bits: (upper.bucket << LOW_BITS) | lower.bucket, above: lower.above };
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
