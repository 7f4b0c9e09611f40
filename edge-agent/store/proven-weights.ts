/** Weights together with their digest, which no change gets past. */
import { applyDelta, type SparseDelta } from '@freshet/protocol/delta';
import { WeightsDigest } from '@freshet/protocol/digest';
import type { ModelDigest, Root, WeightsVersion } from '@freshet/protocol/ids';

export class ProvenWeights {
  /** Changed by `apply` only. */
  readonly weights: Float32Array;
  readonly #digest: WeightsDigest;

  /** Takes over `weights`: the caller writes to them no more. */
  constructor(weights: Float32Array, model: ModelDigest) {
    this.weights = weights;
    this.#digest = new WeightsDigest(weights, model);
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
