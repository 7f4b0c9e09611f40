/**
 * Checks bytes from a peer before the MessagePack library sees them: exactly one value, built of arrays, unsigned
 * integers, strings, byte strings, booleans and nil, nested at most `depthMax` deep, of at most `itemsMax` items, with
 * nothing cut off or left over. Maps, floats and extension types are not part of the protocol, and the library would
 * turn some of them into regular expressions, errors or records that define decoders. And it would make an object of
 * forty bytes of each byte that says "empty array", before any field is looked at. Needs no memory itself, whatever the
 * bytes are.
 *
 * Documents, as people's programs send them over HTTP, may hold what JSON can as well: maps with strings as keys, floats
 * and negative integers.
 */
import { FreshetError } from './errors.ts';

export interface PlainLimits {
  /** Arrays (and maps) within arrays, the outermost one included. */
  readonly depthMax: number;
  /** Values of all kinds, the outermost one and those inside of arrays (and maps, with their keys) included. */
  readonly itemsMax: number;
}

/** What may be in it. */
export type PlainKind = 'message' | 'document';

/** @throws FRAME_MALFORMED */
export function checkPlainMsgpack(
  frame: Uint8Array,
  { depthMax, itemsMax }: PlainLimits,
  kind: PlainKind = 'message',
): void {
  const walk = new Walk(frame, itemsMax, kind);
  if (walk.skipValue(0, depthMax) !== frame.length) throw malformed('bytes after the message');
}

class Walk {
  readonly #view: DataView;
  readonly #itemsMax: number;
  readonly #kind: PlainKind;
  /** Announced so far: an array counts with all its items as soon as its header is read. */
  #itemCount = 1;

  constructor(frame: Uint8Array, itemsMax: number, kind: PlainKind) {
    this.#view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
    this.#itemsMax = itemsMax;
    this.#kind = kind;
  }

  /** Offset after the value that starts at `offset`, which may hold arrays `depth` deep. */
  skipValue(offset: number, depth: number): number {
    const type = this.#uintAt(offset, 1);
    const body = offset + 1;
    if (type <= 0x7f) return body;
    if (type >= 0x90 && type <= 0x9f) return this.#skipArray(body, type & 0x0f, depth);
    if (type >= 0xa0 && type <= 0xbf) return this.#skipBytes(body, type & 0x1f);
    switch (type) {
      case 0xc0: // nil
      case 0xc2: // false
      case 0xc3: // true
        return body;
      case 0xc4: // bin 8
      case 0xd9: // str 8
        return this.#skipBytes(body + 1, this.#uintAt(body, 1));
      case 0xc5: // bin 16
      case 0xda: // str 16
        return this.#skipBytes(body + 2, this.#uintAt(body, 2));
      case 0xc6: // bin 32
      case 0xdb: // str 32
        return this.#skipBytes(body + 4, this.#uintAt(body, 4));
      case 0xcc: // uint 8
        return this.#skipBytes(body, 1);
      case 0xcd: // uint 16
        return this.#skipBytes(body, 2);
      case 0xce: // uint 32
        return this.#skipBytes(body, 4);
      case 0xcf: // uint 64
        return this.#skipBytes(body, 8);
      case 0xd3: // int 64, as which msgpackr writes integers over 32 bits
        if (this.#uintAt(body, 1) >= 0x80) throw malformed('a negative integer');
        return this.#skipBytes(body, 8);
      case 0xdc: // array 16
        return this.#skipArray(body + 2, this.#uintAt(body, 2), depth);
      case 0xdd: // array 32
        return this.#skipArray(body + 4, this.#uintAt(body, 4), depth);
    }
    if (this.#kind === 'document') return this.#skipOfDocument(type, body, depth);
    throw unused(type, 'in the protocol');
  }

  /** What is in documents only. */
  #skipOfDocument(type: number, body: number, depth: number): number {
    if (type >= 0xe0) return body;
    if (type >= 0x80 && type <= 0x8f) return this.#skipMap(body, type & 0x0f, depth);
    switch (type) {
      case 0xca: // float 32
      case 0xd2: // int 32
        return this.#skipBytes(body, 4);
      case 0xcb: // float 64
        return this.#skipBytes(body, 8);
      case 0xd0: // int 8
        return this.#skipBytes(body, 1);
      case 0xd1: // int 16
        return this.#skipBytes(body, 2);
      case 0xde: // map 16
        return this.#skipMap(body + 2, this.#uintAt(body, 2), depth);
      case 0xdf: // map 32
        return this.#skipMap(body + 4, this.#uintAt(body, 4), depth);
      default:
        throw unused(type, 'here');
    }
  }

  #skipArray(body: number, count: number, depth: number): number {
    this.#enter(count, depth);
    let offset = body;
    for (let i = 0; i < count; i++) offset = this.skipValue(offset, depth - 1);
    return offset;
  }

  #skipMap(body: number, count: number, depth: number): number {
    this.#enter(2 * count, depth);
    let offset = body;
    for (let i = 0; i < count; i++) {
      const type = this.#uintAt(offset, 1);
      const isString = (type >= 0xa0 && type <= 0xbf) || (type >= 0xd9 && type <= 0xdb);
      if (!isString) throw noDocument('a key of a map is not a string');
      offset = this.skipValue(this.skipValue(offset, depth - 1), depth - 1);
    }
    return offset;
  }

  #enter(itemCount: number, depth: number): void {
    if (depth === 0) throw malformed('nested too deeply');
    this.#itemCount += itemCount;
    if (this.#itemCount > this.#itemsMax) throw malformed(`more than ${this.#itemsMax} items`);
  }

  #skipBytes(start: number, byteCount: number): number {
    if (start + byteCount > this.#view.byteLength) throw malformed('it ends too early');
    return start + byteCount;
  }

  #uintAt(offset: number, byteCount: 1 | 2 | 4): number {
    if (offset + byteCount > this.#view.byteLength) throw malformed('it ends too early');
    if (byteCount === 1) return this.#view.getUint8(offset);
    return byteCount === 2 ? this.#view.getUint16(offset) : this.#view.getUint32(offset);
  }
}

function unused(type: number, where: string): FreshetError {
  return malformed(`MessagePack type 0x${type.toString(16).padStart(2, '0')} is not used ${where}`);
}

function malformed(what: string): FreshetError {
  return new FreshetError('FRAME_MALFORMED', `malformed message: ${what}`);
}

/** The same, where messages do not come. */
function noDocument(what: string): FreshetError {
  return malformed(what);
}
