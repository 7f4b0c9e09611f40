/**
 * Range coder: writes symbols in close to −log2(p) bits each, for whatever probabilities the caller states. The
 * arithmetic is that of LZMA's coder (Igor Pavlov, lzma-specification), with symbols of many values instead of bits
 * and a range below 2^31, because V8 keeps such integers in registers.
 *
 * A symbol is an interval [start, start + frequency) of the FREQUENCY_TOTAL units that all symbols share.
 */
import { FREQUENCY_BITS, FREQUENCY_TOTAL, type FrequencyModel } from './frequency-model.ts';
import { GrowingBytes } from './growing-bytes.ts';

const RANGE_START = 0x7fff_ffff;
/** Below this the range gains eight bits. */
const RANGE_MIN = 0x80_0000;
const CODE_BYTES = 4;
/** `low` has reached this: one is carried into the bytes put out before. */
const CARRY = 2 ** 32;
/** From here on a carry may still come that would run through the byte put out next. */
const CARRY_OPEN = 0xff00_0000;
const LOW_UNIT = 2 ** 24;

export class RangeEncoder {
  readonly #bytes = new GrowingBytes();
  /** Below 2^33: the 33rd bit is a carry. */
  #low = 0;
  #range = RANGE_START;
  /** Last byte not yet written, and how many bytes 0xff wait behind it for a carry. */
  #cache = 0;
  #pending = 0;

  /** Writes `symbol` with what `model` has learned, and lets it learn. */
  write(model: FrequencyModel, symbol: number): void {
    const start = model.startOf(symbol);
    const end = model.startOf(symbol + 1);
    const unit = this.#range >> FREQUENCY_BITS;
    this.#low += start * unit;
    // The last symbol gets what the division left over.
    this.#range = end === FREQUENCY_TOTAL ? this.#range - start * unit : (end - start) * unit;
    while (this.#range < RANGE_MIN) {
      this.#range <<= 8;
      this.#shift();
    }
    model.learn(symbol);
  }

  /**
   * The bytes, to be kept by the caller: the fewest that decode to the same symbols whatever bytes follow them. Ends
   * the use of the encoder.
   */
  finish(): Uint8Array {
    for (let byteCount = 0; ; byteCount++) {
      // With so many more bytes written, the continuations of a multiple of `unit` are the numbers up to the next one.
      const unit = CARRY / 2 ** (8 * byteCount);
      const candidate = Math.ceil(this.#low / unit) * unit;
      if (candidate + unit > this.#low + this.#range) continue;
      this.#low = candidate;
      for (let i = 0; i <= byteCount; i++) this.#shift();
      // The first byte is the empty cache of the beginning.
      return this.#bytes.slice(1);
    }
  }

  #shift(): void {
    if (this.#low < CARRY_OPEN || this.#low >= CARRY) {
      const carry = this.#low >= CARRY ? 1 : 0;
      this.#bytes.push((this.#cache + carry) & 0xff);
      for (; this.#pending > 0; this.#pending--) this.#bytes.push((0xff + carry) & 0xff);
      this.#cache = (this.#low >>> 24) & 0xff;
    } else {
      this.#pending++;
    }
    this.#low = (this.#low % LOW_UNIT) * 0x100;
  }
}

export class RangeDecoder {
  readonly #bytes: Uint8Array;
  #offset: number;
  #code = 0;
  #range = RANGE_START;

  /** Reads `bytes` from `offset` on, and zeros behind their end. Whatever they are, they decode to something. */
  constructor(bytes: Uint8Array, offset: number) {
    this.#bytes = bytes;
    this.#offset = offset;
    for (let i = 0; i < CODE_BYTES; i++) this.#code = (this.#code << 8) | this.#next();
    // No encoder writes a first number outside the range; a damaged one becomes the last inside it.
    this.#code = Math.min(this.#code & RANGE_START, RANGE_START - 1);
  }

  /** Offset behind the last byte looked at, up to four bytes ahead of what was needed; counts on behind the end. */
  get position(): number {
    return this.#offset;
  }

  /** The next symbol, which `model` learns. */
  read(model: FrequencyModel): number {
    const unit = this.#range >> FREQUENCY_BITS;
    const symbol = model.symbolAt(Math.min(FREQUENCY_TOTAL - 1, (this.#code / unit) | 0));
    const start = model.startOf(symbol);
    const end = model.startOf(symbol + 1);
    this.#code -= start * unit;
    this.#range = end === FREQUENCY_TOTAL ? this.#range - start * unit : (end - start) * unit;
    while (this.#range < RANGE_MIN) {
      this.#range <<= 8;
      this.#code = (this.#code << 8) | this.#next();
    }
    model.learn(symbol);
    return symbol;
  }

  #next(): number {
    const byte = this.#offset < this.#bytes.length ? this.#bytes[this.#offset]! : 0;
    this.#offset++;
    return byte;
  }
}
