/**
 * Digests: the root that proves which weights a version holds, kept up to date in O(touched leaves) per delta.
 *
 *   leaf   = SHA-256(00 ‖ 4,096 bytes of little-endian float32; the last leaf may be shorter)
 *   node   = SHA-256(01 ‖ left ‖ right); a node without a right neighbour moves up unchanged
 *   root   = SHA-256(02 ‖ model digest ‖ u64le version ‖ top node)
 *   model  = SHA-256(03 ‖ u16le byte length of the model id ‖ model id in UTF-8 ‖ graph)
 *
 * The leading byte separates the four uses (as in RFC 6962 §2.1), so that none can be passed off as another. The root
 * covers the model and the version: it alone proves that weights are those of that version, and a version number that
 * was damaged on the way does not pass.
 */
import { hash } from 'node:crypto';
import { assert } from './assert.ts';
import { asModelDigest, asRoot, type ModelDigest, type Root, type WeightsVersion } from './ids.ts';

const LEAF_BYTES = 4096;
const DIGEST_BYTES = 32;

/** Weights per leaf. */
export const LEAF_ELEMENTS = LEAF_BYTES / Float32Array.BYTES_PER_ELEMENT;

/** Identity of a model: its name and its ONNX file without the weight bytes. */
export function digestModel(modelId: string, graph: Uint8Array): ModelDigest {
  const name = Buffer.from(modelId, 'utf8');
  const header = Buffer.alloc(3);
  header.writeUInt8(3, 0);
  header.writeUInt16LE(name.length, 1);
  return asModelDigest(hash('sha256', Buffer.concat([header, name, graph]), 'hex'));
}

/**
 * Seven bits of the model digest: a delta for another model mostly shows before it is decoded; the root, which covers
 * the whole digest, tells for certain.
 */
export function modelTag(digest: ModelDigest): number {
  return Number.parseInt(digest.slice(0, 2), 16) & 0x7f;
}

/**
 * Merkle tree over one weight vector. It keeps a reference to `weights` and reads it at `update`: whoever changes
 * weights reports the indices, or the root is stale.
 */
export class WeightsDigest {
  readonly #weights: Uint8Array;
  readonly #modelDigest: Buffer;
  /** `#levels[0]` holds the leaves, the last level one node; each is a run of 32-byte digests. */
  readonly #levels: Buffer[];
  readonly #leafScratch = Buffer.alloc(1 + LEAF_BYTES);
  readonly #nodeScratch = Buffer.alloc(1 + 2 * DIGEST_BYTES);

  constructor(weights: Float32Array, model: ModelDigest) {
    this.#weights = new Uint8Array(weights.buffer, weights.byteOffset, weights.byteLength);
    this.#modelDigest = Buffer.from(model, 'hex');
    assert(this.#modelDigest.length === DIGEST_BYTES, 'a model digest has 32 bytes');
    this.#leafScratch[0] = 0;
    this.#nodeScratch[0] = 1;
    this.#levels = [];
    for (
      let count = Math.max(1, Math.ceil(weights.byteLength / LEAF_BYTES));
      ;
      count = Math.ceil(count / 2)
    ) {
      this.#levels.push(Buffer.alloc(count * DIGEST_BYTES));
      if (count === 1) break;
    }
    this.#rehash(Array.from({ length: this.#levels[0]!.length / DIGEST_BYTES }, (_, leaf) => leaf));
  }

  /** Takes in that the weights at `indices` (ascending) have changed. */
  update(indices: Uint32Array): void {
    const leaves: number[] = [];
    let last = -1;
    for (const index of indices) {
      const leaf = Math.floor(index / LEAF_ELEMENTS);
      if (leaf === last) continue;
      leaves.push(leaf);
      last = leaf;
    }
    this.#rehash(leaves);
  }

  /** The root of the present weights as those of `version`. */
  root(version: WeightsVersion): Root {
    const versionBytes = Buffer.alloc(8);
    versionBytes.writeBigUInt64LE(BigInt(version));
    const top = this.#levels[this.#levels.length - 1]!;
    return asRoot(hash('sha256', Buffer.concat([Buffer.of(2), this.#modelDigest, versionBytes, top]), 'hex'));
  }

  #rehash(leaves: readonly number[]): void {
    for (const leaf of leaves) this.#hashLeaf(leaf);
    let touched = leaves;
    for (let level = 1; level < this.#levels.length; level++) {
      const parents: number[] = [];
      for (const child of touched) {
        const parent = child >> 1;
        if (parents[parents.length - 1] !== parent) parents.push(parent);
      }
      for (const parent of parents) this.#hashNode(level, parent);
      touched = parents;
    }
  }

  #hashLeaf(leaf: number): void {
    const bytes = this.#weights.subarray(leaf * LEAF_BYTES, (leaf + 1) * LEAF_BYTES);
    this.#leafScratch.set(bytes, 1);
    const digest = hash('sha256', this.#leafScratch.subarray(0, 1 + bytes.length), 'buffer');
    digest.copy(this.#levels[0]!, leaf * DIGEST_BYTES);
  }

  #hashNode(level: number, node: number): void {
    const children = this.#levels[level - 1]!;
    const left = 2 * node * DIGEST_BYTES;
    const pair = children.subarray(left, left + 2 * DIGEST_BYTES);
    const target = this.#levels[level]!;
    if (pair.length === DIGEST_BYTES) {
      pair.copy(target, node * DIGEST_BYTES);
      return;
    }
    this.#nodeScratch.set(pair, 1);
    hash('sha256', this.#nodeScratch, 'buffer').copy(target, node * DIGEST_BYTES);
  }
}

/** Root of `weights` from scratch. */
export function digestWeights(weights: Float32Array, model: ModelDigest, version: WeightsVersion): Root {
  return new WeightsDigest(weights, model).root(version);
}
