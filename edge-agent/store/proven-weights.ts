/** Weights together with their digest, which no change gets past. */
import { type HashHelper, SHARED_CHUNKS_MIN } from '@freshet/protocol/blake3/shared-climb';
import { applyDelta, type SparseDelta } from '@freshet/protocol/delta';
import { CHUNK_ELEMENTS, WeightsDigest } from '@freshet/protocol/digest';
import type { ModelDigest, Root, WeightsVersion } from '@freshet/protocol/ids';

export class ProvenWeights {
  /** Changed by `apply` only. */
  readonly weights: Float32Array;
  readonly #digest: WeightsDigest;

  /**
   * Takes over `weights`: the caller writes to them no more. With a `helper`, weights that are many enough for it to be
   * of use are moved to memory that it can reach.
   */
  constructor(weights: Float32Array, model: ModelDigest, helper: HashHelper | null = null) {
    const isShared = helper !== null && weights.length >= SHARED_CHUNKS_MIN * CHUNK_ELEMENTS;
    this.weights = isShared ? sharedCopy(weights) : weights;
    this.#digest = new WeightsDigest(this.weights, model, helper);
  }

  /** Their root as the weights of `version`. */
  root(version: WeightsVersion): Root {
    return this.#digest.root(version);
  }

  /** Changes the weights in place and returns the delta that takes the change back. */
  apply(delta: SparseDelta): SparseDelta {
    const undo = applyDelta(this.weights, delta);
    this.#digest.update(delta.indices);
    return undo;
  }
}

function sharedCopy(weights: Float32Array): Float32Array {
  const copy = new Float32Array(new SharedArrayBuffer(weights.byteLength));
  copy.set(weights);
  return copy;
}
