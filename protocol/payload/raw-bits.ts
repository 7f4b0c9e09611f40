/**
 * Bits that no model can predict. They fill a payload from its end backwards, while the range coder fills it from its
 * front, so that neither needs a length. The first bit written is the lowest bit of the last byte.
 */
import { GrowingBytes } from './growing-bytes.ts';
import { malformedDelta } from './malformed-delta.ts';

const BITS_PER_CALL_MAX = 24;

export class RawBitWriter {
  readonly #bytes = new GrowingBytes();
  /** Bits not yet in a byte, the first one lowest. */
  #bits = 0;
  #bitCount = 0;

  /** Writes the lowest `bitCount` ≤ 32 bits of `value`. */
  write(value: number, bitCount: number): void {
    if (bitCount > BITS_PER_CALL_MAX) {
      this.#add(value & 0xffff, 16);
      this.#add(value >>> 16, bitCount - 16);
    } else {
      this.#add(value, bitCount);
    }
  }

  /** The bytes in the order in which they stand in a payload. */
  finish(): Uint8Array {
    if (this.#bitCount > 0) this.#bytes.push(this.#bits);
    this.#bitCount = 0;
    return this.#bytes.slice().reverse();
  }

  #add(value: number, bitCount: number): void {
    this.#bits |= (value & ((1 << bitCount) - 1)) << this.#bitCount;
    this.#bitCount += bitCount;
    for (; this.#bitCount >= 8; this.#bitCount -= 8) {
      this.#bytes.push(this.#bits & 0xff);
      this.#bits >>>= 8;
    }
  }
}

export class RawBitReader {
  readonly #bytes: Uint8Array;
  readonly #start: number;
  /** Bytes before this one are still to be read. */
  #end: number;
  #bits = 0;
  #bitCount = 0;

  /** Reads backwards from the end of `bytes`, never before `start`. */
  constructor(bytes: Uint8Array, start: number) {
    this.#bytes = bytes;
    this.#start = start;
    this.#end = bytes.length;
  }

  /** Offset of the last byte read. */
  get position(): number {
    return this.#end;
  }

  /** The next `bitCount` ≤ 32 bits, as an unsigned number. @throws DELTA_MALFORMED when there are none left */
  read(bitCount: number): number {
    if (bitCount <= BITS_PER_CALL_MAX) return this.#take(bitCount);
    const low = this.#take(16);
    return (low | (this.#take(bitCount - 16) << 16)) >>> 0;
  }

  #take(bitCount: number): number {
    while (this.#bitCount < bitCount) {
      if (this.#end === this.#start) throw malformedDelta('it ends too early');
      this.#bits |= this.#bytes[--this.#end]! << this.#bitCount;
      this.#bitCount += 8;
    }
    const value = this.#bits & ((1 << bitCount) - 1);
    this.#bits >>>= bitCount;
    this.#bitCount -= bitCount;
    return value;
  }
}
