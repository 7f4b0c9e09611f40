/**
 * The paper's sparsifiers, for comparison: the optimiser gets thinned-out gradients, and a publication carries the
 * present values of the weights that those named since the last one. Under plain SGD these are all that have moved, and
 * a replica holds the trained weights; under an optimiser with moments every weight goes on moving, and a replica lags
 * behind by what was not named. Weights without a gradient (BatchNorm's statistics), of which the paper's selection
 * knows nothing, are all published, since nothing else would ever bring them to a replica.
 */
import { assert } from '@freshet/protocol/assert';
import { FreshetError } from '@freshet/protocol/errors';
import type { Root, WeightsVersion } from '@freshet/protocol/ids';
import type { Model } from '@freshet/protocol/model';
import type { ValueFormat } from '@freshet/protocol/payload/value-format';
import { divergedAt } from './diverged.ts';
import { chooseAtRandom, chooseLargest, GradientMemory } from './gradient-memory.ts';
import { Shadow } from './shadow.ts';
import type { GradientFilter, Publication, Sparsifier, SparsifierState } from './sparsifier.ts';
import { valuesAt } from './values-at.ts';

export interface GradientPublisherOptions {
  /** Which gradients the optimiser gets: of each tensor the largest, or any. */
  readonly name: 'gradient' | 'random-k';
  /** Share of the gradients of each tensor that the optimiser gets in one step, in (0, 1]; one at least. */
  readonly density: number;
  /** How the values of each tensor travel. */
  readonly formats: readonly ValueFormat[];
  /** For each tensor whether it has a gradient. */
  readonly trainable: readonly boolean[];
}

export class GradientPublisher implements Sparsifier {
  readonly #name: 'gradient' | 'random-k';
  readonly #shadow: Shadow;
  readonly #memory: GradientMemory;
  /** Weights that have no gradient, ascending. */
  readonly #untrained: Uint32Array;

  /** `shadow`: weights of the newest published version; copied. */
  constructor(shadow: Float32Array, model: Model, options: GradientPublisherOptions) {
    const { name, density, formats, trainable } = options;
    assert(trainable.length === model.tensors.length, 'it is known of each tensor whether it is trained');
    this.#name = name;
    this.#shadow = new Shadow(shadow, model, formats);
    const spans = model.tensors.map(({ elementOffset, elementCount }) => ({
      start: elementOffset,
      end: elementOffset + elementCount,
    }));
    const choose = name === 'gradient' ? chooseLargest : chooseAtRandom;
    const trained = spans.filter((_, tensor) => trainable[tensor]);
    this.#memory = new GradientMemory(shadow.length, trained, density, choose);
    const untrained = spans.filter((_, tensor) => !trainable[tensor]);
    this.#untrained = Uint32Array.from(untrained.flatMap(integersOf));
  }

  get shadow(): Float32Array {
    return this.#shadow.weights;
  }

  get gradientFilter(): GradientFilter {
    return this.#memory;
  }

  root(version: WeightsVersion): Root {
    return this.#shadow.root(version);
  }

  publish(trained: Float32Array, next: WeightsVersion): Publication {
    assert(trained.length === this.shadow.length, 'trained and shadow weights have the same length');
    for (let i = 0; i < trained.length; i++) {
      if (!Number.isFinite(trained[i]!)) throw divergedAt(i, trained[i]!);
    }
    const touched = this.#memory.touched();
    const indices = new Uint32Array(touched.length + this.#untrained.length);
    indices.set(touched);
    indices.set(this.#untrained, touched.length);
    const publication = this.#shadow.send(valuesAt(trained, indices.sort()), next);
    // Nothing was sent where nothing differs: a run that repeats this one only does again what was sent.
    if (publication.changedCount > 0) this.#memory.clearTouched();
    return publication;
  }

  state(): SparsifierState {
    return { name: this.#name, memory: this.#memory.memory(), touched: this.#memory.touched() };
  }

  /**
   * Goes on from `state`, which is copied.
   * @throws CONFIG_INVALID when it is that of another sparsifier, MODEL_MISMATCH when that of another model; nothing is
   * changed then
   */
  restore(state: SparsifierState): void {
    if (state.name !== this.#name) throw otherSparsifier(state.name, this.#name);
    const { memory, touched } = state;
    if (memory.length !== this.shadow.length || (touched.at(-1) ?? 0) >= memory.length) {
      throw new FreshetError(
        'MODEL_MISMATCH',
        `the gradient memory of the checkpoint is for ${memory.length} weights, the model has ${this.shadow.length}`,
      );
    }
    this.#memory.restore(memory, touched);
  }
}

/** For `throw`, when a checkpoint has the state of `found` and `wanted` was asked for. */
export function otherSparsifier(found: string, wanted: string): FreshetError {
  return new FreshetError(
    'CONFIG_INVALID',
    `the sparsifier of the checkpoint is ${found}, the one asked for ${wanted}: ask for ${found}, or remove ` +
      'learner.checkpoint from the state directory to go on from the newest published version',
  );
}

function integersOf({ start, end }: { readonly start: number; readonly end: number }): number[] {
  return Array.from({ length: end - start }, (_, i) => start + i);
}
