/**
 * One delta with the effect of a whole run of deltas, bit for bit, whatever formats their values came in: all positions
 * that any of them touches, with the values that the end of the run holds there. No delta is composed with another; the
 * cost is one pass over the indices and one bit per weight.
 */
import { assert } from '@freshet/protocol/assert';
import { applyDelta, bitsOf, type SparseDelta } from '@freshet/protocol/delta';
import { type DeltaLayout, decodeDeltaPayload, encodeDeltaPayload } from '@freshet/protocol/delta-payload';
import { DELTA_PAYLOAD_BYTES_MAX } from '@freshet/protocol/limits';

const WORD_BITS = 32;

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

  /**
   * The delta from `base` to `next`, which differ at touched positions only: a new one, owned by the caller. What has
   * changed there and back is not in it.
   */
  deltaBetween(base: Float32Array, next: Float32Array): SparseDelta {
    const baseBits = bitsOf(base);
    const nextBits = bitsOf(next);
    const indices = new Uint32Array(this.#count);
    const valueBits = new Uint32Array(this.#count);
    let count = 0;
    for (let word = 0; word < this.#words.length; word++) {
      // Clears the lowest set bit in each turn, so that only touched positions cost anything.
      for (let rest = this.#words[word]!; rest !== 0; rest &= rest - 1) {
        const index = word * WORD_BITS + (WORD_BITS - 1 - Math.clz32(rest & -rest));
        if (baseBits[index] === nextBits[index]) continue;
        indices[count] = index;
        valueBits[count] = nextBits[index]!;
        count++;
      }
    }
    return { indices: indices.slice(0, count), valueBits: valueBits.slice(0, count) };
  }
}

/** A run of versions that is taken back one by one, from its end; then one delta leads over all of it. */
export class SquashedRun {
  readonly #layout: DeltaLayout;
  readonly #weights: Float32Array;
  readonly #end: Float32Array;
  readonly #touched: TouchedWeights;

  /** `weights` at the end of the run; they are worked on from here to `payload`. */
  constructor(weights: Float32Array, layout: DeltaLayout) {
    this.#layout = layout;
    this.#weights = weights;
    this.#end = weights.slice();
    this.#touched = new TouchedWeights(weights.length);
  }

  /** Goes back by one version. @throws DELTA_MALFORMED when `undo` is none of the weights there. */
  takeBack(undo: Uint8Array): void {
    this.#touched.add(takeBack(this.#weights, undo, this.#layout));
  }

  /** The delta from where it has gone back to, to the end, in exact values; null where it is too large for a message. */
  payload(): Uint8Array | null {
    const delta = this.#touched.deltaBetween(this.#weights, this.#end);
    const payload = encodeDeltaPayload(delta, this.#weights, this.#layout);
    return payload.length > DELTA_PAYLOAD_BYTES_MAX ? null : payload;
  }
}

/** Applies the payload `undo` to `weights`, in place; the positions that it changed. @throws DELTA_MALFORMED */
export function takeBack(weights: Float32Array, undo: Uint8Array, layout: DeltaLayout): Uint32Array {
  const delta = decodeDeltaPayload(undo, weights, layout);
  applyDelta(weights, delta);
  return delta.indices;
}
