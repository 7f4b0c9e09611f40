/**
 * Decides what to publish: the entries of the residual (trained − shadow) that are largest, as absolute new values.
 * The shadow is what every up-to-date replica holds, so what is not sent stays in the residual by itself:
 * it is the error memory of Stich et al., "Sparsified SGD with Memory" (NeurIPS 2018), taken after the optimiser
 * instead of before it, which keeps training dense and makes the replica exact under Adam as well.
 */
import { assert } from '@freshet/protocol/assert';
import type { SparseDelta } from '@freshet/protocol/delta';
import type { Root, WeightsVersion } from '@freshet/protocol/ids';
import type { Model } from '@freshet/protocol/model';
import type { ValueFormat } from '@freshet/protocol/payload/value-format';
import type { Span } from './sparsifiers/score-span.ts';
import { selectLargest } from './sparsifiers/select-largest.ts';
import { DEFAULT_SELECTION, type Selection } from './sparsifiers/selection.ts';
import { Shadow } from './sparsifiers/shadow.ts';
import { shareOf } from './sparsifiers/share-of.ts';
import type { Publication, Sparsifier, SparsifierState } from './sparsifiers/sparsifier.ts';

export interface PublisherOptions {
  /** Share of the weights in a delta, in (0, 1]; at least one weight is sent. */
  readonly density: number;
  /** How the values of each tensor travel. */
  readonly formats: readonly ValueFormat[];
  /** Globally by magnitude, where it is absent. */
  readonly selection?: Selection;
}

export class ShadowPublisher implements Sparsifier {
  readonly gradientFilter = null;
  readonly #shadow: Shadow;
  readonly #density: number;
  readonly #selection: Selection;

  /** `shadow`: weights of the newest published version; copied. */
  constructor(shadow: Float32Array, model: Model, options: PublisherOptions) {
    this.#shadow = new Shadow(shadow, model, options.formats);
    this.#density = options.density;
    this.#selection = options.selection ?? DEFAULT_SELECTION;
    assert(this.#density > 0 && this.#density <= 1, 'density in (0, 1]');
  }

  get shadow(): Float32Array {
    return this.#shadow.weights;
  }

  root(version: WeightsVersion): Root {
    return this.#shadow.root(version);
  }

  publish(trained: Float32Array, next: WeightsVersion, density = this.#density): Publication {
    assert(trained.length === this.shadow.length, 'trained and shadow weights have the same length');
    assert(density > 0 && density <= 1, 'density in (0, 1]');
    return this.#shadow.send(this.#choose(trained, density), next);
  }

  state(): SparsifierState {
    return { name: 'shadow' };
  }

  #choose(trained: Float32Array, density: number): SparseDelta {
    const spans = this.#spans(trained);
    if (this.#selection.scope === 'global') {
      const count = Math.max(1, Math.round(trained.length * density));
      return selectLargest(trained, this.shadow, spans, count);
    }
    const chosen = spans.map((span) =>
      selectLargest(trained, this.shadow, [span], shareOf(span.end - span.start, density)),
    );
    return {
      indices: concatenated(chosen.map(({ indices }) => indices)),
      valueBits: concatenated(chosen.map(({ valueBits }) => valueBits)),
    };
  }

  #spans(trained: Float32Array): readonly Span[] {
    const { scope, measure } = this.#selection;
    // Within one tensor a common factor changes no order.
    const isScaled = scope === 'global' && measure === 'relative';
    return this.#shadow.model.tensors.map(({ elementOffset, elementCount }, tensor) => {
      const end = elementOffset + elementCount;
      return {
        start: elementOffset,
        end,
        format: this.#shadow.formats[tensor]!,
        scale: isScaled ? 1 / scaleOf(trained.subarray(elementOffset, end)) : 1,
      };
    });
  }
}

/** Root mean square, or 1 where it would be no scale: all weights are 0, or one is no number, which is found later. */
function scaleOf(weights: Float32Array): number {
  // Four sums, because each addition waits for the one before it.
  let [a, b, c, d] = [0, 0, 0, 0];
  const whole = weights.length - (weights.length % 4);
  for (let i = 0; i < whole; i += 4) {
    a += weights[i]! * weights[i]!;
    b += weights[i + 1]! * weights[i + 1]!;
    c += weights[i + 2]! * weights[i + 2]!;
    d += weights[i + 3]! * weights[i + 3]!;
  }
  for (let i = whole; i < weights.length; i++) a += weights[i]! * weights[i]!;
  const rms = Math.sqrt((a + b + c + d) / weights.length);
  return rms > 0 && Number.isFinite(rms) ? rms : 1;
}

function concatenated(arrays: readonly Uint32Array[]): Uint32Array {
  const all = new Uint32Array(arrays.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const array of arrays) {
    all.set(array, at);
    at += array.length;
  }
  return all;
}
