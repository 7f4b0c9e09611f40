/** What a device does with a delta message, but for disk and predictor: decode, apply, root, with a second thread. */
import { ProvenWeights } from '@freshet/edge-agent/store/proven-weights';
import { assert } from '@freshet/protocol/assert';
import { downstreamCodec } from '@freshet/protocol/codec';
import type { SparseDelta } from '@freshet/protocol/delta';
import { decodeDeltaPayload } from '@freshet/protocol/delta-payload';
import { asWeightsVersion, type Root } from '@freshet/protocol/ids';
import { HashThread } from '@freshet/protocol/local/hash-thread';
import type { Model } from '@freshet/protocol/model';

export interface Applied {
  /** Of the weights as they are now. */
  readonly root: Root;
  /** The one that the message promised. */
  readonly announced: Root;
  readonly undo: SparseDelta;
}

export class Replica {
  readonly #model: Model;
  readonly #proven: ProvenWeights;

  /** `weights` are copied. */
  constructor(weights: Float32Array, model: Model) {
    this.#model = model;
    this.#proven = new ProvenWeights(weights.slice(), model.digest, new HashThread(failBenchmark));
  }

  /** Read only. */
  get weights(): Float32Array {
    return this.#proven.weights;
  }

  /** Takes in the delta message `frame`. */
  apply(frame: Uint8Array): Applied {
    const message = downstreamCodec.decode(frame);
    assert(message.type === 'delta', 'the frame holds a delta');
    const undo = this.#proven.apply(decodeDeltaPayload(message.payload, this.weights, this.#model));
    const root = this.#proven.root(asWeightsVersion(message.base + message.span));
    return { root, announced: message.proof.root, undo };
  }

  /** Takes back what `undo` came from. */
  takeBack(undo: SparseDelta): void {
    this.#proven.apply(undo);
  }
}

/** Times without the second thread are not those of a device. */
function failBenchmark(cause: unknown): never {
  throw new Error('the second thread for hashing is lost', { cause });
}
