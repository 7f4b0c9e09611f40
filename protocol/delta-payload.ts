/**
 * The bytes of a sparse delta (PROTOCOL.md, "Delta payload"):
 *
 *   format   u8       1 = gap-coded indices, exact float32 values
 *   count    uleb128  number of changed weights
 *   gaps     uleb128  × count; index[i] − index[i−1] − 1, with index[−1] = −1
 *   values   u32 le   × count; binary32 patterns
 *
 * There is exactly one encoding of each delta: shortest uleb128, no bytes after the last value.
 */
import type { SparseDelta } from './delta.ts';
import { FreshetError } from './errors.ts';
import { DELTA_PAYLOAD_BYTES_MAX } from './limits.ts';

const FORMAT_EXACT = 1;
const VALUE_BYTES = 4;
const ULEB128_BYTES_MAX = 5;

/**
 * Encodes `delta` into a new buffer.
 * Example: indices [3, 4, 300], values [1, 2, 3] → 01 03 | 03 00 a7 02 | 00 00 80 3f 00 00 00 40 00 00 40 40
 * @throws DELTA_MALFORMED when the result would exceed what a frame may carry; publish fewer weights at a time.
 */
export function encodeDeltaPayload(delta: SparseDelta): Uint8Array {
  const { indices, valueBits } = delta;
  const bytesMax = 1 + ULEB128_BYTES_MAX * (indices.length + 1) + VALUE_BYTES * indices.length;
  const bytes = new Uint8Array(bytesMax);
  bytes[0] = FORMAT_EXACT;
  let offset = writeUleb128(bytes, 1, indices.length);
  let previous = -1;
  for (const index of indices) {
    offset = writeUleb128(bytes, offset, index - previous - 1);
    previous = index;
  }
  const view = new DataView(bytes.buffer);
  for (const bits of valueBits) {
    view.setUint32(offset, bits, true);
    offset += VALUE_BYTES;
  }
  if (offset > DELTA_PAYLOAD_BYTES_MAX) {
    throw new FreshetError(
      'DELTA_MALFORMED',
      `a delta of ${offset} bytes exceeds the frame limit of ${DELTA_PAYLOAD_BYTES_MAX}: lower the density`,
      { details: { bytes: offset } },
    );
  }
  return bytes.slice(0, offset);
}

/**
 * Decodes a payload for weights of `elementCount` elements. The result owns its memory, which is in proportion to
 * `bytes`, whatever count they announce.
 * @throws DELTA_MALFORMED for any other input than an encoding of a valid delta.
 */
export function decodeDeltaPayload(bytes: Uint8Array, elementCount: number): SparseDelta {
  if (bytes[0] !== FORMAT_EXACT) throw malformed(`unknown delta format ${bytes[0] ?? 'none'}`);
  const reader = { bytes, offset: 1 };
  const count = readUleb128(reader);
  if (count > elementCount) throw malformed(`${count} changes in a model of ${elementCount} weights`);
  if (count * (1 + VALUE_BYTES) > bytes.length - reader.offset) throw malformed('fewer bytes than changes');
  const indices = new Uint32Array(count);
  let previous = -1;
  for (let i = 0; i < count; i++) {
    const index = previous + 1 + readUleb128(reader);
    if (index >= elementCount) throw malformed(`index ${index} outside ${elementCount} weights`);
    indices[i] = index;
    previous = index;
  }
  if (bytes.length - reader.offset !== count * VALUE_BYTES) throw malformed('length of the values');
  const view = new DataView(bytes.buffer, bytes.byteOffset + reader.offset);
  const valueBits = new Uint32Array(count);
  for (let i = 0; i < count; i++) valueBits[i] = view.getUint32(i * VALUE_BYTES, true);
  return { indices, valueBits };
}

function writeUleb128(bytes: Uint8Array, start: number, value: number): number {
  let offset = start;
  let rest = value;
  while (rest >= 0x80) {
    bytes[offset++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  bytes[offset++] = rest;
  return offset;
}

function readUleb128(reader: { readonly bytes: Uint8Array; offset: number }): number {
  let value = 0;
  for (let length = 0; length < ULEB128_BYTES_MAX; length++) {
    const byte = reader.bytes[reader.offset];
    if (byte === undefined) throw malformed('it ends inside a number');
    reader.offset++;
    value += (byte & 0x7f) * 2 ** (7 * length);
    if (byte >= 0x80) continue;
    if (byte === 0 && length > 0) throw malformed('a number that is not in its shortest form');
    if (value > 0xffff_ffff) break;
    return value;
  }
  throw malformed('a number of more than 32 bits');
}

function malformed(what: string): FreshetError {
  return new FreshetError('DELTA_MALFORMED', `malformed delta payload: ${what}`);
}
