/**
 * One delta with the effect of a whole run of deltas. Values are absolute, so the run's effect is: all positions that
 * any delta touches, with the values that the head holds there. No delta is composed with another; the cost is one
 * pass over the indices and one bit per weight.
 */
import { assert } from '@freshet/protocol/assert';
import { bitsOf, type SparseDelta } from '@freshet/protocol/delta';

const WORD_BITS = 32;

/** Length of the payload that encodes a delta with these indices, known without encoding it. */
export function deltaPayloadBytes(indices: Uint32Array): number {
  let bytes = 1 + uleb128Bytes(indices.length) + Uint32Array.BYTES_PER_ELEMENT * indices.length;
  let previous = -1;
  for (const index of indices) {
    bytes += uleb128Bytes(index - previous - 1);
    previous = index;
  }
  return bytes;
}

function uleb128Bytes(value: number): number {
  return value < 0x80 ? 1 : Math.ceil((WORD_BITS - Math.clz32(value)) / 7);
}

/** The set of positions touched by the deltas added so far. */
export class TouchedWeights {
  readonly #words: Uint32Array;
  #count = 0;

  constructor(elementCount: number) {
    this.#words = new Uint32Array(Math.ceil(elementCount / WORD_BITS));
  }

  /** Number of distinct positions. */
  get count(): number {
    return this.#count;
  }

  add(indices: Uint32Array): void {
    for (const index of indices) {
      const word = index >>> 5;
      const bit = (1 << (index & 31)) >>> 0;
      const before = this.#words[word];
      assert(before !== undefined, 'index within the weights');
      if ((before & bit) !== 0) continue;
      this.#words[word] = before | bit;
      this.#count++;
    }
  }

  /** The delta that writes the values of `weights` at all touched positions: a new one, owned by the caller. */
  deltaTo(weights: Float32Array): SparseDelta {
    const bits = bitsOf(weights);
    const indices = new Uint32Array(this.#count);
    const valueBits = new Uint32Array(this.#count);
    let at = 0;
    for (let word = 0; word < this.#words.length; word++) {
      // Clears the lowest set bit in each turn, so that only touched positions cost anything.
      for (let rest = this.#words[word]!; rest !== 0; rest &= rest - 1) {
        const index = word * WORD_BITS + (WORD_BITS - 1 - Math.clz32(rest & -rest));
        indices[at] = index;
        valueBits[at] = bits[index]!;
        at++;
      }
    }
    return { indices, valueBits };
  }
}
