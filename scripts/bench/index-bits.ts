/** What the positions of a delta cost, and what they would have to cost if any choice of them were as likely. */
import { encodeIndices } from '@freshet/protocol/payload/gap-coder';
import { RangeEncoder } from '@freshet/protocol/payload/range-coder';
import { RawBitWriter } from '@freshet/protocol/payload/raw-bits';
import { encodeRank, RANKED_COUNT_MAX } from '@freshet/protocol/payload/set-rank';

/** Of a payload that holds nothing but `indices`, not empty, in the better of the two codings; in whole bytes. */
export function bitsPerIndex(indices: Uint32Array, elementCount: number): number {
  const byteCount = Math.min(gapBytes(indices, elementCount), rankBytes(indices, elementCount));
  return (8 * byteCount) / indices.length;
}

function gapBytes(indices: Uint32Array, elementCount: number): number {
  const coder = new RangeEncoder();
  const raw = new RawBitWriter();
  encodeIndices(coder, raw, indices, elementCount);
  return coder.finish().length + raw.finish().length;
}

function rankBytes(indices: Uint32Array, elementCount: number): number {
  if (indices.length > RANKED_COUNT_MAX) return Infinity;
  const raw = new RawBitWriter();
  encodeRank(raw, indices, elementCount);
  return raw.finish().length;
}

/** log2(`elementCount` choose `count`) / `count`, for a `count` of one at least. */
export function entropyBitsPerIndex(elementCount: number, count: number): number {
  let bits = 0;
  for (let i = 1; i <= count; i++) bits += Math.log2((elementCount - count + i) / i);
  return bits / count;
}
