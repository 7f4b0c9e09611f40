/** What the positions of a delta cost, and what they would have to cost if any choice of them were as likely. */
import { encodeIndices } from '@freshet/protocol/payload/gap-coder';
import { RangeEncoder } from '@freshet/protocol/payload/range-coder';
import { RawBitWriter } from '@freshet/protocol/payload/raw-bits';

/** Of a payload that holds nothing but `indices`, not empty; both of its ends count as whole bytes. */
export function bitsPerIndex(indices: Uint32Array, elementCount: number): number {
  const coder = new RangeEncoder();
  const raw = new RawBitWriter();
  encodeIndices(coder, raw, indices, elementCount);
  return (8 * (coder.finish().length + raw.finish().length)) / indices.length;
}

/** log2(`elementCount` choose `count`) / `count`, for a `count` of one at least. */
export function entropyBitsPerIndex(elementCount: number, count: number): number {
  let bits = 0;
  for (let i = 1; i <= count; i++) bits += Math.log2((elementCount - count + i) / i);
  return bits / count;
}
