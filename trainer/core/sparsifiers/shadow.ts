/** The weights that every up-to-date replica holds, and the one way in which they change: by a delta that was sent. */
import { applyDelta, type SparseDelta } from '@freshet/protocol/delta';
import { encodeDeltaPayload } from '@freshet/protocol/delta-payload';
import { WeightsDigest } from '@freshet/protocol/digest';
import { FreshetError } from '@freshet/protocol/errors';
import type { Root, WeightsVersion } from '@freshet/protocol/ids';
import { DELTA_PAYLOAD_BYTES_MAX } from '@freshet/protocol/limits';
import type { Model } from '@freshet/protocol/model';
import type { ValueFormat } from '@freshet/protocol/payload/value-format';
import { roundDelta } from '../round-values.ts';
import type { Publication } from './sparsifier.ts';

export class Shadow {
  /** Only read it: `send` writes. */
  readonly weights: Float32Array;
  readonly model: Model;
  /** How the values of each tensor travel. */
  readonly formats: readonly ValueFormat[];
  readonly #digest: WeightsDigest;

  /** `weights`: those of the newest published version; copied. */
  constructor(weights: Float32Array, model: Model, formats: readonly ValueFormat[]) {
    this.weights = weights.slice();
    this.model = model;
    this.formats = formats;
    this.#digest = new WeightsDigest(this.weights, model.digest);
  }

  /** Root of the present weights as those of `version`. */
  root(version: WeightsVersion): Root {
    return this.#digest.root(version);
  }

  /**
   * Rounds `delta` (finite values, any of them) to what its formats carry, encodes it as the way to version `next`, and
   * takes it in.
   * @throws CONFIG_INVALID when it is too large for a message; nothing has changed then
   */
  send(delta: SparseDelta, next: WeightsVersion): Publication {
    const rounded = roundDelta(delta, this.weights, this.model, this.formats);
    const payload = encodeDeltaPayload(rounded.delta, this.weights, this.model, rounded.values);
    if (payload.length > DELTA_PAYLOAD_BYTES_MAX) throw tooLarge(payload.length);
    applyDelta(this.weights, rounded.delta);
    this.#digest.update(rounded.delta.indices);
    const changedCount = rounded.delta.indices.length;
    return { ...rounded, payload, changedCount, root: this.#digest.root(next) };
  }
}

function tooLarge(bytes: number): FreshetError {
  return new FreshetError(
    'CONFIG_INVALID',
    `a delta of ${bytes} bytes is more than the ${DELTA_PAYLOAD_BYTES_MAX} that a message holds: lower --density, or ` +
      'choose --values of fewer bits',
    { details: { bytes } },
  );
}
