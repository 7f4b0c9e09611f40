/**
 * Decides what to publish: the entries of the residual (trained − shadow) that are largest in magnitude, as absolute
 * new values. Where values are rounded to a grid (f16, bf16), what counts is how much nearer a replica gets by it: a
 * weight that rounding would leave where it is, or take further away, must not hold a place for ever.
 * The shadow is what every up-to-date replica holds, so what is not sent stays in the residual by itself:
 * it is the error memory of Stich et al., "Sparsified SGD with Memory" (NeurIPS 2018), taken after the optimiser
 * instead of before it, which keeps training dense and makes the replica exact under Adam as well.
 */
import { assert } from '@freshet/protocol/assert';
import { applyDelta, bitsOf } from '@freshet/protocol/delta';
import { encodeDeltaPayload } from '@freshet/protocol/delta-payload';
import { WeightsDigest } from '@freshet/protocol/digest';
import { FreshetError } from '@freshet/protocol/errors';
import type { Root, WeightsVersion } from '@freshet/protocol/ids';
import { DELTA_PAYLOAD_BYTES_MAX } from '@freshet/protocol/limits';
import type { Model } from '@freshet/protocol/model';
import type { ValueFormat } from '@freshet/protocol/payload/value-format';
import { hasGrid, type RoundedDelta, roundDelta, roundToGrid } from './round-values.ts';
import { selectTopK } from './select-top-k.ts';

export interface Publication extends RoundedDelta {
  /** For receivers that hold the shadow as it was. */
  readonly payload: Uint8Array;
  /** Weights that change; 0 when there was nothing to send. */
  readonly changedCount: number;
  /** Root of the shadow after the delta. */
  readonly root: Root;
}

export interface PublisherOptions {
  /** Share of the weights in a delta, in (0, 1]; at least one weight is sent. */
  readonly density: number;
  /** How the values of each tensor travel. */
  readonly formats: readonly ValueFormat[];
}

export class ShadowPublisher {
  readonly #model: Model;
  readonly #formats: readonly ValueFormat[];
  readonly #shadow: Float32Array;
  readonly #digest: WeightsDigest;
  readonly #residual: Float32Array;
  readonly #countMax: number;

  /** `shadow`: weights of the newest published version; copied. */
  constructor(shadow: Float32Array, model: Model, { density, formats }: PublisherOptions) {
    assert(density > 0 && density <= 1, 'density in (0, 1]');
    this.#model = model;
    this.#formats = formats;
    this.#shadow = shadow.slice();
    this.#digest = new WeightsDigest(this.#shadow, model.digest);
    this.#residual = new Float32Array(shadow.length);
    this.#countMax = Math.max(1, Math.round(shadow.length * density));
  }

  /** Root of the shadow as the weights of `version`. */
  root(version: WeightsVersion): Root {
    return this.#digest.root(version);
  }

  /**
   * The delta to version `next`, towards `trained` (canonical order; not kept), already written into the shadow. It is
   * empty when nothing differs, or nothing by as much as the formats can tell.
   * @throws LEARNER_DIVERGED when a trained weight is NaN or infinite: such weights are never published.
   * CONFIG_INVALID when the delta is too large for a message. Nothing has changed then.
   */
  publish(trained: Float32Array, next: WeightsVersion): Publication {
    this.#takeResidual(trained);
    const indices = selectTopK(this.#residual, this.#countMax);
    const trainedBits = bitsOf(trained);
    const valueBits = new Uint32Array(indices.length);
    for (let i = 0; i < indices.length; i++) valueBits[i] = trainedBits[indices[i]!]!;
    const { delta, values } = roundDelta({ indices, valueBits }, this.#shadow, this.#model, this.#formats);
    const payload = encodeDeltaPayload(delta, this.#shadow, this.#model, values);
    if (payload.length > DELTA_PAYLOAD_BYTES_MAX) throw tooLarge(payload.length);
    applyDelta(this.#shadow, delta);
    this.#digest.update(delta.indices);
    return { delta, values, payload, changedCount: delta.indices.length, root: this.#digest.root(next) };
  }

  #takeResidual(trained: Float32Array): void {
    assert(trained.length === this.#shadow.length, 'trained and shadow weights have the same length');
    for (const [tensor, { elementOffset, elementCount }] of this.#model.tensors.entries()) {
      const format = this.#formats[tensor]!;
      const end = elementOffset + elementCount;
      if (hasGrid(format)) this.#takeGains(trained, format, elementOffset, end);
      else this.#takeDifferences(trained, elementOffset, end);
    }
  }

  #takeDifferences(trained: Float32Array, start: number, end: number): void {
    for (let i = start; i < end; i++) {
      const value = trained[i]!;
      if (!Number.isFinite(value)) throw diverged(i, value);
      this.#residual[i] = value - this.#shadow[i]!;
    }
  }

  /** By how much a replica gets nearer to each weight; 0 where it gets no nearer. */
  #takeGains(trained: Float32Array, format: ValueFormat, start: number, end: number): void {
    const trainedBits = bitsOf(trained);
    const rounded = new Float32Array(1);
    const roundedBits = bitsOf(rounded);
    for (let i = start; i < end; i++) {
      const value = trained[i]!;
      if (!Number.isFinite(value)) throw diverged(i, value);
      roundedBits[0] = roundToGrid(format, trainedBits[i]!);
      const gain = Math.abs(value - this.#shadow[i]!) - Math.abs(value - rounded[0]!);
      this.#residual[i] = Math.max(0, gain);
    }
  }
}

function diverged(index: number, value: number): FreshetError {
  return new FreshetError(
    'LEARNER_DIVERGED',
    `training diverged: weight ${index} is ${value}; nothing was published. Lower the learning rate and start again`,
    { details: { index } },
  );
}

function tooLarge(bytes: number): FreshetError {
  return new FreshetError(
    'CONFIG_INVALID',
    `a delta of ${bytes} bytes is more than the ${DELTA_PAYLOAD_BYTES_MAX} that a message holds: lower --density, or ` +
      'choose --values of fewer bits',
    { details: { bytes } },
  );
}
