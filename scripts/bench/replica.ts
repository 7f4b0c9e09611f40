/** What a device does with a delta message, but for disk and predictor: decode, apply, root. */
import { assert } from '@freshet/protocol/assert';
import { downstreamCodec } from '@freshet/protocol/codec';
import { applyDelta, type SparseDelta } from '@freshet/protocol/delta';
import { decodeDeltaPayload } from '@freshet/protocol/delta-payload';
import { WeightsDigest } from '@freshet/protocol/digest';
import { asWeightsVersion, type Root } from '@freshet/protocol/ids';
import type { Model } from '@freshet/protocol/model';

export interface Applied {
  /** Of the weights as they are now. */
  readonly root: Root;
  /** The one that the message promised. */
  readonly announced: Root;
  readonly undo: SparseDelta;
}

export class Replica {
  readonly weights: Float32Array;
  readonly #model: Model;
  readonly #digest: WeightsDigest;

  /** `weights` are copied. */
  constructor(weights: Float32Array, model: Model) {
    this.weights = weights.slice();
    this.#model = model;
    this.#digest = new WeightsDigest(this.weights, model.digest);
  }

  /** Takes in the delta message `frame`. */
  apply(frame: Uint8Array): Applied {
    const message = downstreamCodec.decode(frame);
    assert(message.type === 'delta', 'the frame holds a delta');
    const delta = decodeDeltaPayload(message.payload, this.weights, this.#model);
    const undo = applyDelta(this.weights, delta);
    this.#digest.update(delta.indices);
    const root = this.#digest.root(asWeightsVersion(message.base + message.span));
    return { root, announced: message.proof.root, undo };
  }

  /** Takes back what `undo` came from. */
  takeBack(undo: SparseDelta): void {
    applyDelta(this.weights, undo);
    this.#digest.update(undo.indices);
  }
}
