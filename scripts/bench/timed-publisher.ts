/**
 * The trainer's publisher with a watch on its parts. A replica follows it: what encoding and the root cost is measured
 * on the same changes, and every payload and root is compared on the way.
 */
import { assert } from '@freshet/protocol/assert';
import { applyDelta } from '@freshet/protocol/delta';
import { encodeDeltaPayload } from '@freshet/protocol/delta-payload';
import { WeightsDigest } from '@freshet/protocol/digest';
import { asWeightsVersion, type WeightsVersion } from '@freshet/protocol/ids';
import { type PublisherOptions, ShadowPublisher } from '@freshet/trainer/core/shadow-publisher';
import type { CanonicalModel } from '@freshet/trainer/learn/canonical-model';

export interface PublishTimes {
  /** All that a publish adds to a step: reading the weights, choice, rounding, payload, root. */
  readonly totalMs: number;
  /** Of that. */
  readonly readMs: number;
  readonly encodeMs: number;
  readonly digestMs: number;
  readonly changedCount: number;
  readonly payloadBytes: number;
}

export class TimedPublisher {
  readonly #canonical: CanonicalModel;
  readonly #publisher: ShadowPublisher;
  readonly #trained: Float32Array;
  readonly #replica: Float32Array;
  readonly #digest: WeightsDigest;
  #version: WeightsVersion = asWeightsVersion(1);

  /** `shadow`: the weights of the first version; copied. */
  constructor(canonical: CanonicalModel, shadow: Float32Array, options: PublisherOptions) {
    this.#canonical = canonical;
    this.#publisher = new ShadowPublisher(shadow, canonical.model, options);
    this.#trained = new Float32Array(shadow.length);
    this.#replica = shadow.slice();
    this.#digest = new WeightsDigest(this.#replica, canonical.model.digest);
  }

  /** Publishes the present weights. */
  async publish(): Promise<PublishTimes> {
    const next = asWeightsVersion(this.#version + 1);
    const startMs = performance.now();
    await this.#canonical.readWeights(this.#trained);
    const readMs = performance.now() - startMs;
    const { delta, values, payload, root } = this.#publisher.publish(this.#trained, next);
    const totalMs = performance.now() - startMs;
    this.#version = next;

    const encodeStartMs = performance.now();
    const encoded = encodeDeltaPayload(delta, this.#replica, this.#canonical.model, values);
    const encodeMs = performance.now() - encodeStartMs;
    assert(Buffer.compare(encoded, payload) === 0, 'the replica holds what the publisher takes it to hold');
    applyDelta(this.#replica, delta);
    const digestStartMs = performance.now();
    this.#digest.update(delta.indices);
    const isEqual = this.#digest.root(next) === root;
    const digestMs = performance.now() - digestStartMs;
    assert(isEqual, 'the replica has the root that was published');
    const { length: changedCount } = delta.indices;
    return { totalMs, readMs, encodeMs, digestMs, changedCount, payloadBytes: payload.length };
  }
}
