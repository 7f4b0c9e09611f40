/**
 * A model without a network, and a learner without learning: for tests of the log and the hub, which move weights
 * about and never run them. All randomness comes from the run's seed.
 */
import { applyDelta, diffWeights, type SparseDelta } from '@freshet/protocol/delta';
import { encodeDeltaPayload } from '@freshet/protocol/delta-payload';
import { WeightsDigest } from '@freshet/protocol/digest';
import { asWeightsVersion, type Position } from '@freshet/protocol/ids';
import type { Model } from '@freshet/protocol/model';
import type { VersionLog } from '../../trainer/history/version-log.ts';
import type { VersionNote } from '../../trainer/history/version-log-rows.ts';
import { modelOfTensors } from './tiny-model.ts';

/** Two tensors that split `elementCount` weights, and no nodes. */
export function handMadeModel(elementCount: number, modelId = 'hand-made'): Model {
  const first = Math.floor(elementCount / 2);
  return modelOfTensors(modelId, [
    { name: 'tensor0', shape: [first] },
    { name: 'tensor1', shape: [elementCount - first] },
  ]);
}

/** xorshift32: enough for choosing indices and values. Returns integers in [0, 2^32). */
export function xorshift(seed: number): () => number {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state;
  };
}

export const note: VersionNote = { step: 0, samplesSeen: 0, prequentialAccuracy: null, loss: null };

export class FakeLearner {
  readonly model: Model;
  readonly weights: Float32Array;
  readonly #digest: WeightsDigest;
  readonly #random: () => number;
  #version = 1;

  constructor(model: Model, seed: number) {
    this.model = model;
    this.#random = xorshift(seed);
    this.weights = Float32Array.from({ length: model.elementCount }, () => this.#random() / 2 ** 32 - 0.5);
    this.#digest = new WeightsDigest(this.weights, model.digest);
  }

  position(): Position {
    const version = asWeightsVersion(this.#version);
    return { version, root: this.#digest.root(version) };
  }

  /** Names the model and appends version 1. */
  start(log: VersionLog): void {
    log.setModel(this.model);
    log.appendSnapshot(this.position(), this.weights, note);
  }

  /** Goes on where `log` is: weights and version. */
  resume(log: VersionLog): void {
    this.weights.set(log.headWeights());
    this.#version = log.head()!.version;
    this.#digest.update(Uint32Array.from(this.weights, (_, i) => i));
  }

  /** Changes `changeCount` random weights (fewer where it draws one twice) and appends the delta. */
  publish(log: VersionLog, changeCount: number): Position {
    const changed = new Map<number, number>();
    for (let i = 0; i < changeCount; i++) changed.set(this.#random() % this.weights.length, this.#random());
    const indices = Uint32Array.from([...changed.keys()].sort((left, right) => left - right));
    return this.publishDelta(log, {
      indices,
      valueBits: Uint32Array.from(indices, (index) => changed.get(index)!),
    });
  }

  publishDelta(log: VersionLog, delta: SparseDelta): Position {
    const base = asWeightsVersion(this.#version);
    const payload = encodeDeltaPayload(delta, this.weights, this.model);
    applyDelta(this.weights, delta);
    this.#digest.update(delta.indices);
    this.#version++;
    const position = this.position();
    log.appendDelta({
      base,
      next: position.version,
      root: position.root,
      payload,
      note: { step: base, samplesSeen: 8 * base, prequentialAccuracy: 0.5, loss: 0.25 },
    });
    return position;
  }
}

/** Whether two weight vectors are equal bit for bit. */
export function sameBits(left: Float32Array, right: Float32Array): boolean {
  return left.length === right.length && diffWeights(left, right).indices.length === 0;
}
