/**
 * A few positions as one number: the rank of their set among all sets of so many positions, in the combinatorial number
 * system (Knuth, The Art of Computer Programming 4A, 7.2.1.3, theorem L): ascending positions p₁ < p₂ < … have the rank
 * C(p₁, 1) + C(p₂, 2) + …, and every number below C(elementCount, count) is the rank of exactly one set.
 *
 * So the positions take the fewest bits that any code can take which knows nothing of them, to the bit. An adaptive code
 * needs some dozens of gaps before it comes close; big integers, on the other hand, are slow when there are many.
 */
import { malformedDelta } from './malformed-delta.ts';
import type { RawBitReader, RawBitWriter } from './raw-bits.ts';

/** With so many positions, a rank takes a millisecond to read; the gaps of more cost hardly more bits than a rank. */
export const RANKED_COUNT_MAX = 64;

const BITS_AT_ONCE = 24;

/** Writes strictly ascending `indices` below `elementCount`. */
export function encodeRank(raw: RawBitWriter, indices: Uint32Array, elementCount: number): void {
  let rank = 0n;
  for (let i = 0; i < indices.length; i++) rank += binomial(indices[i]!, i + 1);
  for (let left = bitCountOf(elementCount, indices.length); left > 0; left -= BITS_AT_ONCE) {
    raw.write(Number(BigInt.asUintN(BITS_AT_ONCE, rank)), Math.min(left, BITS_AT_ONCE));
    rank >>= BigInt(BITS_AT_ONCE);
  }
}

/** Reads `count` indices into a new array. @throws DELTA_MALFORMED when no set has the rank */
export function decodeRank(raw: RawBitReader, count: number, elementCount: number): Uint32Array {
  let rank = 0n;
  const bitCount = bitCountOf(elementCount, count);
  for (let done = 0; done < bitCount; done += BITS_AT_ONCE) {
    rank |= BigInt(raw.read(Math.min(bitCount - done, BITS_AT_ONCE))) << BigInt(done);
  }
  if (rank >= binomial(elementCount, count)) throw malformedDelta('a rank that no set of positions has');
  const indices = new Uint32Array(count);
  for (let size = count; size > 0; size--) {
    const { index, below } = largestBelow(rank, size);
    indices[size - 1] = index;
    rank -= below;
  }
  return indices;
}

/** Bits of the largest rank. */
function bitCountOf(elementCount: number, count: number): number {
  const largest = binomial(elementCount, count) - 1n;
  return largest === 0n ? 0 : largest.toString(2).length;
}

function binomial(n: number, k: number): bigint {
  if (k > n) return 0n;
  let value = 1n;
  for (let i = 1; i <= k; i++) value = (value * BigInt(n - k + i)) / BigInt(i);
  return value;
}

/** The largest `index` for which `below` = C(index, size) is not above `rank`. */
function largestBelow(rank: bigint, size: number): { readonly index: number; readonly below: bigint } {
  let index = Math.max(size, Math.floor(estimate(rank, size)));
  let below = binomial(index, size);
  for (; below > rank; index--) below = (below * BigInt(index - size)) / BigInt(index);
  if (index < size) return { index, below };
  for (;;) {
    const next = (below * BigInt(index + 1)) / BigInt(index + 1 - size);
    if (next > rank) return { index, below };
    below = next;
    index++;
  }
}

/**
 * Within `size` / 8 + 1 of the index that is sought: C(x, size) · size! is a product of `size` factors around
 * x − (size − 1) / 2, which is hardly more than their geometric mean.
 */
function estimate(rank: bigint, size: number): number {
  let log = log2(rank);
  for (let i = 2; i <= size; i++) log += Math.log2(i);
  return 2 ** (log / size) + (size - 1) / 2;
}

/** −∞ for 0. */
function log2(value: bigint): number {
  const shift = Math.max(0, value.toString(16).length - 16) * 4;
  return Math.log2(Number(value >> BigInt(shift))) + shift;
}
