/**
 * Reads protobuf's wire format without a schema: which field starts where, and how far it reaches. Bytes may come
 * from a peer, so each length is checked against the enclosing message before it is used, and nothing is allocated in
 * proportion to an announced number. Groups (wire types 3 and 4) are long deprecated, do not occur in ONNX, and are
 * refused. Format: https://protobuf.dev/programming-guides/encoding/
 */
import type { ByteRange, CutFile } from './cut-file.ts';
import { FreshetError } from './errors.ts';

/** One field: a number in place, or a range of bytes in the file that is read. */
export type WireField =
  | { readonly kind: 'varint'; readonly number: number; readonly value: number }
  | ({ readonly kind: 'fixed'; readonly number: number } & ByteRange)
  | ({ readonly kind: 'bytes'; readonly number: number } & ByteRange);

const VARINT_BYTES_MAX = 10;
const FIELD_NUMBER_MAX = 2 ** 29 - 1;

/**
 * Yields the fields of the message that lies in `range`, in file order. A field that is not looked into may hold what
 * is cut out; tags, numbers and lengths may not.
 * @throws ONNX_MALFORMED, possibly after some fields have been yielded.
 */
export function* wireFields(file: CutFile, range: ByteRange): Generator<WireField, void, void> {
  const cursor: Cursor = { file, position: range.start, end: range.end };
  while (cursor.position < cursor.end) {
    const tag = readVarint(cursor);
    const number = Math.floor(tag / 8);
    if (number < 1 || number > FIELD_NUMBER_MAX) throw malformedAt(cursor, `field number ${number}`);
    yield readField(cursor, number, tag % 8);
  }
}

/** The numbers of a packed repeated varint field. Negative ones come as their 64-bit two's complement, rounded. */
export function* packedVarints(file: CutFile, range: ByteRange): Generator<number, void, void> {
  const cursor: Cursor = { file, position: range.start, end: range.end };
  while (cursor.position < cursor.end) yield readVarint(cursor);
}

interface Cursor {
  readonly file: CutFile;
  readonly end: number;
  position: number;
}

function readField(cursor: Cursor, number: number, wireType: number): WireField {
  switch (wireType) {
    case 0:
      return { kind: 'varint', number, value: readVarint(cursor) };
    case 1:
      return { kind: 'fixed', number, ...takeRange(cursor, 8) };
    case 2:
      return { kind: 'bytes', number, ...takeRange(cursor, readVarint(cursor)) };
    case 5:
      return { kind: 'fixed', number, ...takeRange(cursor, 4) };
    default:
      throw malformedAt(cursor, `wire type ${wireType}`);
  }
}

function takeRange(cursor: Cursor, byteCount: number): ByteRange {
  const start = cursor.position;
  if (byteCount > cursor.end - start) {
    throw malformedAt(cursor, `a field of ${byteCount} bytes where ${cursor.end - start} are left`);
  }
  cursor.position = start + byteCount;
  return { start, end: cursor.position };
}

/** Exact up to 2^53; beyond that rounded, which still compares as too large to every limit. */
function readVarint(cursor: Cursor): number {
  let value = 0;
  let scale = 1;
  for (let count = 1; count <= VARINT_BYTES_MAX; count++) {
    if (cursor.position >= cursor.end) throw malformedAt(cursor, 'a number that is cut off');
    const byte = cursor.file.byteAt(cursor.position++);
    // The tenth byte holds the 64th bit alone.
    if (count === VARINT_BYTES_MAX && byte > 1) break;
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) return value;
    scale *= 128;
  }
  throw malformedAt(cursor, 'a number of more than 64 bits');
}

function malformedAt(cursor: Cursor, found: string): FreshetError {
  return new FreshetError('ONNX_MALFORMED', `not an ONNX file: ${found} at byte ${cursor.position}`, {
    details: { byteOffset: cursor.position },
  });
}
