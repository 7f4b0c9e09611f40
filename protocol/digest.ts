/**
 * Digests: the root that proves which weights a version holds, kept up to date in O(touched chunks) per delta.
 *
 *   top    = BLAKE3(weights as little-endian float32)
 *   root   = SHA-256(02 ‖ model digest ‖ u64le version ‖ top)
 *   model  = SHA-256(03 ‖ u16le byte length of the model id ‖ model id in UTF-8 ‖ graph)
 *
 * BLAKE3 is by itself a hash tree over chunks of 1,024 bytes, so a change of few weights costs the chunks that they are
 * in and the nodes above; `top` is what `b3sum` prints for the bare weights. The leading byte separates the uses of
 * SHA-256, so that none can be passed off as another. The root covers the model and the version: it alone proves that
 * weights are those of that version, and a version number that was damaged on the way does not pass.
 */
import { hash } from 'node:crypto';
import { assert } from './assert.ts';
import { ancestorsOf, ChunkTree, chunkCountOf, nodeWordsOf } from './blake3/chunk-tree.ts';
import { CHUNK_BYTES } from './blake3/compression-code.ts';
import { climbTogether, type HashHelper, SHARED_CHUNKS_MIN } from './blake3/shared-climb.ts';
import { asModelDigest, asRoot, type ModelDigest, type Root, type WeightsVersion } from './ids.ts';

const DIGEST_BYTES = 32;

/** Weights per chunk: what is hashed anew when one of them changes. */
export const CHUNK_ELEMENTS = CHUNK_BYTES / Float32Array.BYTES_PER_ELEMENT;

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
 * Hash tree over one weight vector. It keeps a reference to `weights` and reads it at `update`: whoever changes
 * weights reports the indices, or the root is stale.
 */
export class WeightsDigest {
  readonly #weights: Uint8Array;
  readonly #modelDigest: Buffer;
  #nodes: Uint32Array;
  #tree: ChunkTree;
  /** Null also when it could not reach the weights. */
  readonly #helper: HashHelper | null;

  /**
   * `helper` takes part where much has changed, provided that `weights` lie in a SharedArrayBuffer. It is meant for
   * weights that live long: starting and waking it is not free, and it may keep their memory alive for a while.
   */
  constructor(weights: Float32Array, model: ModelDigest, helper: HashHelper | null = null) {
    this.#weights = new Uint8Array(weights.buffer, weights.byteOffset, weights.byteLength);
    this.#modelDigest = Buffer.from(model, 'hex');
    assert(this.#modelDigest.length === DIGEST_BYTES, 'a model digest has 32 bytes');
    this.#helper = weights.buffer instanceof SharedArrayBuffer ? helper : null;
    const nodeBytes = nodeWordsOf(weights.byteLength) * Uint32Array.BYTES_PER_ELEMENT;
    this.#nodes = new Uint32Array(
      this.#helper === null ? new ArrayBuffer(nodeBytes) : new SharedArrayBuffer(nodeBytes),
    );
    this.#tree = new ChunkTree(this.#weights, this.#nodes);
    this.#rehash(new Uint32Array(chunkCountOf(weights.byteLength)).map((_, chunk) => chunk));
  }

  /** Takes in that the weights at `indices` (ascending) have changed. */
  update(indices: Uint32Array): void {
    this.#rehash(ancestorsOf(indices, Math.log2(CHUNK_ELEMENTS)));
  }

  /** The root of the present weights as those of `version`. */
  root(version: WeightsVersion): Root {
    const versionBytes = Buffer.alloc(8);
    versionBytes.writeBigUInt64LE(BigInt(version));
    const bytes = Buffer.concat([Buffer.of(2), this.#modelDigest, versionBytes, this.#tree.hash]);
    return asRoot(hash('sha256', bytes, 'hex'));
  }

  #rehash(chunks: Uint32Array): void {
    if (this.#helper === null || chunks.length < SHARED_CHUNKS_MIN) {
      this.#tree.climb(chunks);
      return;
    }
    const nodes = climbTogether(this.#weights, this.#nodes, chunks, this.#helper);
    if (nodes === this.#nodes) return;
    this.#nodes = nodes;
    this.#tree = new ChunkTree(this.#weights, nodes);
  }
}

/** Root of `weights` from scratch. */
export function digestWeights(weights: Float32Array, model: ModelDigest, version: WeightsVersion): Root {
  return new WeightsDigest(weights, model).root(version);
}
