/**
 * Checks bytes from a peer before the MessagePack library sees them: exactly one value, built of arrays, unsigned
 * integers, strings, byte strings, booleans and nil, nested at most `depthMax` deep, with nothing cut off or left
 * over. Maps, floats and extension types are not part of the protocol, and the library would turn
 * some of them into regular expressions, errors or records that define decoders. Allocates nothing.
 */
import { FreshetError } from './errors.ts';

/** @throws FRAME_MALFORMED */
export function checkPlainMsgpack(frame: Uint8Array, depthMax: number): void {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  if (skipValue(view, 0, depthMax) !== frame.length) throw malformed('bytes after the message');
}

/** Offset after the value that starts at `offset`. */
function skipValue(view: DataView, offset: number, depth: number): number {
  const type = byteAt(view, offset);
  const body = offset + 1;
  if (type <= 0x7f) return body;
  if (type >= 0x90 && type <= 0x9f) return skipArray(view, body, type & 0x0f, depth);
  if (type >= 0xa0 && type <= 0xbf) return skipBytes(view, body, type & 0x1f);
  switch (type) {
    case 0xc0: // nil
    case 0xc2: // false
    case 0xc3: // true
      return body;
    case 0xc4: // bin 8
    case 0xd9: // str 8
      return skipBytes(view, body + 1, uintAt(view, body, 1));
    case 0xc5: // bin 16
    case 0xda: // str 16
      return skipBytes(view, body + 2, uintAt(view, body, 2));
    case 0xc6: // bin 32
    case 0xdb: // str 32
      return skipBytes(view, body + 4, uintAt(view, body, 4));
    case 0xcc: // uint 8
      return skipBytes(view, body, 1);
    case 0xcd: // uint 16
      return skipBytes(view, body, 2);
    case 0xce: // uint 32
      return skipBytes(view, body, 4);
    case 0xcf: // uint 64
    case 0xd3: // int 64, as which msgpackr writes integers over 32 bits; the field refuses a negative one
      return skipBytes(view, body, 8);
    case 0xdc: // array 16
      return skipArray(view, body + 2, uintAt(view, body, 2), depth);
    case 0xdd: // array 32
      return skipArray(view, body + 4, uintAt(view, body, 4), depth);
    default:
      throw malformed(`MessagePack type 0x${type.toString(16).padStart(2, '0')} is not used in the protocol`);
  }
}

function skipArray(view: DataView, body: number, count: number, depth: number): number {
  if (depth === 0) throw malformed('nested too deeply');
  let offset = body;
  for (let i = 0; i < count; i++) offset = skipValue(view, offset, depth - 1);
  return offset;
}

function skipBytes(view: DataView, start: number, byteCount: number): number {
  if (start + byteCount > view.byteLength) throw malformed('it ends too early');
  return start + byteCount;
}

function byteAt(view: DataView, offset: number): number {
  return uintAt(view, offset, 1);
}

function uintAt(view: DataView, offset: number, byteCount: 1 | 2 | 4): number {
  if (offset + byteCount > view.byteLength) throw malformed('it ends too early');
  if (byteCount === 1) return view.getUint8(offset);
  return byteCount === 2 ? view.getUint16(offset) : view.getUint32(offset);
}

function malformed(what: string): FreshetError {
  return new FreshetError('FRAME_MALFORMED', `malformed message: ${what}`);
}
