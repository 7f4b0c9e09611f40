/**
 * Hashes nodes of a BLAKE3 tree: copies their inputs into the memory of the WebAssembly module, a batch at a time, runs
 * it, and copies the chaining values out. There is one module per thread, whatever the number of trees: its memory stays
 * in the nearest caches, which makes copying cheaper than hashing chunks in place (22 ms instead of 24 for 45 MB), and a
 * tree is ordinary memory that is freed like any other.
 */
import { assert } from '../assert.ts';
import {
  BATCH_BYTES_MAX,
  BATCH_NODES_MAX,
  BLOCK_BYTES,
  CHAINING_VALUE_BYTES,
  CHUNK_BYTES,
  COUNTERS_AT,
  encodeCompression,
  FLAG_CHUNK_END,
  FLAG_CHUNK_START,
  FLAG_PARENT,
  FLAG_ROOT,
  INPUT_AT,
  LANES,
  OUTPUT_AT,
  type RunCompression,
} from './compression-code.ts';

/** u32 words of a chaining value. */
export const NODE_WORDS = CHAINING_VALUE_BYTES / Uint32Array.BYTES_PER_ELEMENT;

const PARENT_BYTES = 2 * CHAINING_VALUE_BYTES;
const PARENT_WORDS = 2 * NODE_WORDS;
const CHUNKS_PER_BATCH = BATCH_BYTES_MAX / CHUNK_BYTES;
const PARENTS_PER_BATCH = BATCH_NODES_MAX;

const COUNTER_WORDS_AT = COUNTERS_AT / Uint32Array.BYTES_PER_ELEMENT;
const OUTPUT_WORDS_AT = OUTPUT_AT / Uint32Array.BYTES_PER_ELEMENT;
const INPUT_WORDS_AT = INPUT_AT / Uint32Array.BYTES_PER_ELEMENT;

/** Up to here a loop copies words quicker than `set`, which needs a view of the source. */
const LOOPED_WORDS_MAX = 64;

let ofThisThread: Compressor | null = null;

/** The compressor of the calling thread, made when it is first asked for. */
export function compressor(): Compressor {
  ofThisThread ??= new Compressor();
  return ofThisThread;
}

class Compressor {
  readonly #bytes: Uint8Array;
  readonly #words: Uint32Array;
  readonly #run: RunCompression;

  constructor() {
    const memory = new WebAssembly.Memory({ initial: 1 });
    const module = new WebAssembly.Module(encodeCompression());
    const instance = new WebAssembly.Instance(module, { host: { memory } });
    this.#bytes = new Uint8Array(memory.buffer);
    this.#words = new Uint32Array(memory.buffer);
    this.#run = instance.exports['run'] as RunCompression;
  }

  /**
   * Hashes the chunks of `bytes` with the numbers `chunks`: full ones, and not the only one there is. The chaining value
   * of chunk i becomes node i of `target`. Numbers are ascending, here and below.
   */
  hashChunks(bytes: Uint8Array, chunks: Uint32Array, target: Uint32Array): void {
    for (let first = 0; first < chunks.length; first += CHUNKS_PER_BATCH) {
      const batch = chunks.subarray(first, first + CHUNKS_PER_BATCH);
      for (let i = 0; i < batch.length; ) {
        const end = runEnd(batch, i);
        const from = batch[i]! * CHUNK_BYTES;
        this.#bytes.set(bytes.subarray(from, from + (end - i) * CHUNK_BYTES), INPUT_AT + i * CHUNK_BYTES);
        i = end;
      }
      this.#words.set(batch, COUNTER_WORDS_AT);
      for (let i = 0; i < batch.length; i += LANES) {
        this.#run(i, CHUNK_BYTES, CHUNK_BYTES / BLOCK_BYTES, BLOCK_BYTES, FLAG_CHUNK_START, FLAG_CHUNK_END);
      }
      this.#collect(batch, target);
    }
  }

  /** Hashes the last chunk of `bytes`, which may be short or empty, and is the root if it is also the first one. */
  hashLastChunk(bytes: Uint8Array, chunk: number, target: Uint32Array): void {
    const input = bytes.subarray(chunk * CHUNK_BYTES);
    assert(input.length <= CHUNK_BYTES, 'the last chunk');
    const blocks = Math.max(1, Math.ceil(input.length / BLOCK_BYTES));
    const lastBlockBytes = input.length - (blocks - 1) * BLOCK_BYTES;
    const lastFlags = chunk === 0 ? FLAG_CHUNK_END | FLAG_ROOT : FLAG_CHUNK_END;
    this.#bytes.fill(0, INPUT_AT, INPUT_AT + CHUNK_BYTES);
    this.#bytes.set(input, INPUT_AT);
    this.#words[COUNTER_WORDS_AT] = chunk;
    this.#run(0, CHUNK_BYTES, blocks, lastBlockBytes, FLAG_CHUNK_START, lastFlags);
    this.#collect(Uint32Array.of(chunk), target);
  }

  /**
   * Hashes the nodes with the numbers `parents`; the children of node i are nodes 2i and 2i + 1 of `children`, and its
   * chaining value becomes node i of `target`.
   */
  hashParents(children: Uint32Array, parents: Uint32Array, isRoot: boolean, target: Uint32Array): void {
    const flags = isRoot ? FLAG_PARENT | FLAG_ROOT : FLAG_PARENT;
    this.#words.fill(0, COUNTER_WORDS_AT, COUNTER_WORDS_AT + PARENTS_PER_BATCH);
    for (let first = 0; first < parents.length; first += PARENTS_PER_BATCH) {
      const batch = parents.subarray(first, first + PARENTS_PER_BATCH);
      for (let i = 0; i < batch.length; ) {
        const end = runEnd(batch, i);
        const to = INPUT_WORDS_AT + i * PARENT_WORDS;
        copyWords(children, batch[i]! * PARENT_WORDS, this.#words, to, (end - i) * PARENT_WORDS);
        i = end;
      }
      for (let i = 0; i < batch.length; i += LANES) this.#run(i, PARENT_BYTES, 1, BLOCK_BYTES, flags, 0);
      this.#collect(batch, target);
    }
  }

  /** Copies the chaining values of a batch to the `nodes` of `target`. */
  #collect(nodes: Uint32Array, target: Uint32Array): void {
    for (let i = 0; i < nodes.length; ) {
      const end = runEnd(nodes, i);
      const from = OUTPUT_WORDS_AT + i * NODE_WORDS;
      copyWords(this.#words, from, target, nodes[i]! * NODE_WORDS, (end - i) * NODE_WORDS);
      i = end;
    }
  }
}

/** Position behind the run of consecutive numbers that begins at position `begin`: neighbours are copied at once. */
function runEnd(numbers: Uint32Array, begin: number): number {
  let end = begin + 1;
  while (end < numbers.length && numbers[end] === numbers[end - 1]! + 1) end++;
  return end;
}

function copyWords(source: Uint32Array, from: number, target: Uint32Array, to: number, count: number): void {
  if (count > LOOPED_WORDS_MAX) target.set(source.subarray(from, from + count), to);
  else for (let i = 0; i < count; i++) target[to + i] = source[from + i]!;
}
