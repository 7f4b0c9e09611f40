/**
 * The BLAKE3 tree over one array of bytes, with every node kept, so that a change costs the nodes above it only.
 *
 * Row 0 has one node per chunk of 1,024 bytes, each further row one per pair, the last row one. A node without a right
 * neighbour moves up unchanged, which gives the shape of the specification (section 2.1: a left subtree is complete and
 * as large as it can be). Each node is its chaining value, the last one the BLAKE3 hash of the bytes.
 */
import { assert } from '../assert.ts';
import { CHUNK_BYTES } from './compression-code.ts';
import { compressor, NODE_WORDS } from './compressor.ts';

/** Chunks of `byteCount` bytes; no bytes are one empty chunk. */
export function chunkCountOf(byteCount: number): number {
  return Math.max(1, Math.ceil(byteCount / CHUNK_BYTES));
}

/** Words of memory that the nodes of a tree over `byteCount` bytes need. */
export function nodeWordsOf(byteCount: number): number {
  return rowCounts(byteCount).reduce((sum, count) => sum + count * NODE_WORDS, 0);
}

export class ChunkTree {
  readonly #bytes: Uint8Array;
  readonly #rows: readonly Uint32Array[];

  /**
   * A view on `bytes` and on `nodes` (`nodeWordsOf` them), both of the caller. Nothing is hashed yet; another thread may
   * hold a tree over the same memory and hash other nodes.
   */
  constructor(bytes: Uint8Array, nodes: Uint32Array) {
    this.#bytes = bytes;
    assert(nodes.length === nodeWordsOf(bytes.length), 'memory for the nodes of this tree');
    let rest = nodes;
    this.#rows = rowCounts(bytes.length).map((count) => {
      const row = rest.subarray(0, count * NODE_WORDS);
      rest = rest.subarray(row.length);
      return row;
    });
  }

  get rowCount(): number {
    return this.#rows.length;
  }

  /** The hash of the bytes, as far as changes were reported: a view, which the next climb overwrites. */
  get hash(): Uint8Array {
    const top = this.#rows[this.#rows.length - 1]!;
    return new Uint8Array(top.buffer, top.byteOffset, top.byteLength);
  }

  /**
   * Hashes the nodes of row `rowBegin` with the numbers `nodes` (ascending, no duplicates), then the nodes above them,
   * up to and without row `rowEnd`.
   */
  climb(nodes: Uint32Array, rowBegin = 0, rowEnd = this.rowCount): void {
    let touched = nodes;
    for (let row = rowBegin; row < rowEnd; row++) {
      if (row > rowBegin) touched = ancestorsOf(touched, 1);
      if (row === 0) this.#hashChunks(touched);
      else this.#hashParents(row, touched);
    }
  }

  #hashChunks(chunks: Uint32Array): void {
    const target = this.#rows[0]!;
    const last = target.length / NODE_WORDS - 1;
    const isPlain = chunks[chunks.length - 1] !== last;
    compressor().hashChunks(this.#bytes, isPlain ? chunks : chunks.subarray(0, -1), target);
    if (!isPlain) compressor().hashLastChunk(this.#bytes, last, target);
  }

  #hashParents(row: number, parents: Uint32Array): void {
    const children = this.#rows[row - 1]!;
    const target = this.#rows[row]!;
    const isRoot = row === this.#rows.length - 1;
    const pairCount = Math.floor(children.length / (2 * NODE_WORDS));
    const isPaired = parents.length === 0 || parents[parents.length - 1]! < pairCount;
    compressor().hashParents(children, isPaired ? parents : parents.subarray(0, -1), isRoot, target);
    if (!isPaired) target.set(children.subarray(2 * pairCount * NODE_WORDS), pairCount * NODE_WORDS);
  }
}

/** The nodes `rows` rows above `nodes` (ascending), each once: a new array. */
export function ancestorsOf(nodes: Uint32Array, rows: number): Uint32Array {
  const ancestors = new Uint32Array(nodes.length);
  let count = 0;
  let previous = -1;
  for (let i = 0; i < nodes.length; i++) {
    const ancestor = nodes[i]! >>> rows;
    // No branch: where half of the ancestors repeat, the processor would guess wrong half of the time.
    count += Number(ancestor !== previous);
    ancestors[count - 1] = ancestor;
    previous = ancestor;
  }
  return ancestors.slice(0, count);
}

/** Nodes of each row, from the chunks to the root. */
function rowCounts(byteCount: number): number[] {
  const counts = [chunkCountOf(byteCount)];
  while (counts[counts.length - 1]! > 1) counts.push(Math.ceil(counts[counts.length - 1]! / 2));
  return counts;
}
