/**
 * What stands in front of the coded part of a payload:
 *
 *   formats       u8       bits 0–2: 0 … 4: all tensors have this value format (in the order of VALUE_FORMATS); 7: mixed
 *                          bit 3: positions are a rank (set-rank.ts), not gaps (gap-coder.ts)
 *   runs          only if mixed: (uleb128 number of tensors, u8 format) until all tensors of the model are covered
 *   count         uleb128  number of changed weights; 0 ends the payload
 *   stepExponent  u8       what the expected length of steps is derived from (step-coder.ts)
 */
import { malformedDelta } from './malformed-delta.ts';
import { RANKED_COUNT_MAX } from './set-rank.ts';
import { VALUE_FORMATS, type ValueFormat } from './value-format.ts';

const MIXED = 7;
const RANKED = 8;
const ULEB128_BYTES_MAX = 5;

export interface PayloadHeader {
  /** One for each tensor of the model. */
  readonly formats: readonly ValueFormat[];
  readonly count: number;
  /** Only with 1 … RANKED_COUNT_MAX changes. */
  readonly ranked: boolean;
  /** 0 where `count` is. */
  readonly stepExponent: number;
}

export function encodeHeader({ formats, count, ranked, stepExponent }: PayloadHeader): number[] {
  const bytes = encodeFormats(formats);
  if (ranked) bytes[0]! |= RANKED;
  pushUleb128(bytes, count);
  if (count > 0) bytes.push(stepExponent);
  return bytes;
}

/** The header at the start of `bytes`, and where it ends. @throws DELTA_MALFORMED */
export function decodeHeader(
  bytes: Uint8Array,
  tensorCount: number,
): { readonly header: PayloadHeader; readonly end: number } {
  const cursor = new Cursor(bytes);
  const first = cursor.u8();
  if (first > (MIXED | RANKED)) throw malformedDelta('a first byte of more than four bits');
  const ranked = (first & RANKED) !== 0;
  const formats = decodeFormats(first & ~RANKED, cursor, tensorCount);
  const count = cursor.uleb128();
  if (ranked && (count === 0 || count > RANKED_COUNT_MAX))
    throw malformedDelta(`a rank for ${count} positions`);
  const stepExponent = count > 0 ? cursor.u8() : 0;
  return { header: { formats, count, ranked, stepExponent }, end: cursor.offset };
}

function encodeFormats(formats: readonly ValueFormat[]): number[] {
  const numbers = formats.map((format) => VALUE_FORMATS.indexOf(format));
  const [first = 0] = numbers;
  if (numbers.every((number) => number === first)) return [first];
  const bytes = [MIXED];
  for (let start = 0; start < numbers.length; ) {
    let end = start + 1;
    while (numbers[end] === numbers[start]) end++;
    pushUleb128(bytes, end - start);
    bytes.push(numbers[start]!);
    start = end;
  }
  return bytes;
}

function decodeFormats(number: number, cursor: Cursor, tensorCount: number): ValueFormat[] {
  if (number !== MIXED) return new Array<ValueFormat>(tensorCount).fill(formatOf(number));
  const formats: ValueFormat[] = [];
  while (formats.length < tensorCount) {
    const runLength = cursor.uleb128();
    if (runLength === 0 || runLength > tensorCount - formats.length) {
      throw malformedDelta(`formats for ${formats.length + runLength} of ${tensorCount} tensors`);
    }
    const format = formatOf(cursor.u8());
    for (let i = 0; i < runLength; i++) formats.push(format);
  }
  return formats;
}

function formatOf(number: number): ValueFormat {
  const format = VALUE_FORMATS[number];
  if (format === undefined) throw malformedDelta(`no value format has the number ${number}`);
  return format;
}

/** Unsigned LEB128 of a number below 2^32. */
function pushUleb128(bytes: number[], value: number): void {
  let rest = value;
  for (; rest >= 0x80; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  bytes.push(rest);
}

class Cursor {
  readonly #bytes: Uint8Array;
  offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  u8(): number {
    const byte = this.#bytes[this.offset];
    if (byte === undefined) throw malformedDelta('it ends inside its header');
    this.offset++;
    return byte;
  }

  uleb128(): number {
    let value = 0;
    for (let length = 0; length < ULEB128_BYTES_MAX; length++) {
      const byte = this.u8();
      value += (byte & 0x7f) * 2 ** (7 * length);
      if (byte >= 0x80) continue;
      if (byte === 0 && length > 0) throw malformedDelta('a number that is not in its shortest form');
      if (value > 0xffff_ffff) break;
      return value;
    }
    throw malformedDelta('a number of more than 32 bits');
  }
}
