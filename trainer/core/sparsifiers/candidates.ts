/** Finds where trained weights and shadow are far apart, in one pass over both, and keeps what stands there. */
import { assert } from '@freshet/protocol/assert';
import { bitsOf } from '@freshet/protocol/delta';
import {
  BLOCK_FLOATS,
  encodeDistances,
  LEFT_AT,
  RESULT_AT,
  RIGHT_AT,
  type RunDistances,
  WORD_FLOATS,
} from './distance-code.ts';

const PAGE_BYTES = 65_536;
/** The smallest difference that there is between two floats. */
const DIFFERENCE_MIN = 2 ** -149;

/** Weights, compactly: entry i of each array is about the same one. They grow to a size that is fixed when made. */
export class Candidates {
  readonly #indices: Uint32Array;
  readonly #trained: Float32Array;
  readonly #shadow: Float32Array;
  #count = 0;

  constructor(countMax: number) {
    this.#indices = new Uint32Array(countMax);
    this.#trained = new Float32Array(countMax);
    this.#shadow = new Float32Array(countMax);
  }

  get count(): number {
    return this.#count;
  }

  /** In the order in which they were added. A view. */
  get indices(): Uint32Array {
    return this.#indices.subarray(0, this.#count);
  }

  get trained(): Float32Array {
    return this.#trained.subarray(0, this.#count);
  }

  get shadow(): Float32Array {
    return this.#shadow.subarray(0, this.#count);
  }

  /** Returns false when there is no room. */
  add(index: number, trained: number, shadow: number): boolean {
    if (this.#count === this.#indices.length) return false;
    this.#indices[this.#count] = index;
    this.#trained[this.#count] = trained;
    this.#shadow[this.#count] = shadow;
    this.#count++;
    return true;
  }
}

/**
 * Adds all weights `start` … `end` − 1 whose difference, rounded to float32, is not below `bound`, a positive number, in
 * ascending order; where either is NaN, it is not below. Returns false when they do not all find room.
 */
export function addFarApart(
  trained: Float32Array,
  shadow: Float32Array,
  { start, end }: { readonly start: number; readonly end: number },
  bound: number,
  candidates: Candidates,
): boolean {
  assert(bound > 0, 'a positive bound');
  const { left, right, result, run } = distances();
  const boundBits = bitsOf(Float32Array.of(Math.max(DIFFERENCE_MIN, bound)))[0]!;
  for (let from = start; from < end; from += BLOCK_FLOATS) {
    const count = Math.min(end - from, BLOCK_FLOATS);
    const wordCount = Math.ceil(count / WORD_FLOATS);
    left.set(trained.subarray(from, from + count));
    right.set(shadow.subarray(from, from + count));
    // What fills up the last word does not differ.
    left.fill(0, count, wordCount * WORD_FLOATS);
    right.fill(0, count, wordCount * WORD_FLOATS);
    run(wordCount, boundBits);
    for (let word = 0; word < wordCount; word++) {
      for (let rest = ~result[word]!; rest !== 0; rest &= rest - 1) {
        const i = word * WORD_FLOATS + 31 - Math.clz32(rest & -rest);
        if (!candidates.add(from + i, left[i]!, right[i]!)) return false;
      }
    }
  }
  return true;
}

interface Distances {
  readonly left: Float32Array;
  readonly right: Float32Array;
  readonly result: Int32Array;
  readonly run: RunDistances;
}

let ofThisThread: Distances | null = null;

/** The kernel of the calling thread with its memory, made when it is first asked for. */
function distances(): Distances {
  ofThisThread ??= makeDistances();
  return ofThisThread;
}

function makeDistances(): Distances {
  const memory = new WebAssembly.Memory({ initial: 1 });
  assert(RESULT_AT + BLOCK_FLOATS / 8 <= PAGE_BYTES, 'all of it fits into one page');
  const module = new WebAssembly.Module(encodeDistances());
  const instance = new WebAssembly.Instance(module, { host: { memory } });
  return {
    left: new Float32Array(memory.buffer, LEFT_AT, BLOCK_FLOATS),
    right: new Float32Array(memory.buffer, RIGHT_AT, BLOCK_FLOATS),
    result: new Int32Array(memory.buffer, RESULT_AT, BLOCK_FLOATS / WORD_FLOATS),
    run: instance.exports['run'] as RunDistances,
  };
}
