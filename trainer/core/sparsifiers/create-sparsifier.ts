/** From what a person asks for to the sparsifier that does it. */
import { FreshetError } from '@freshet/protocol/errors';
import type { Model } from '@freshet/protocol/model';
import { type PublisherOptions, ShadowPublisher } from '../shadow-publisher.ts';
import { GradientPublisher, otherSparsifier } from './gradient-publisher.ts';
import {
  SPARSIFIER_NAMES,
  type Sparsifier,
  type SparsifierName,
  type SparsifierState,
} from './sparsifier.ts';

export interface SparsifierOptions extends PublisherOptions {
  readonly name: SparsifierName;
  /** For each tensor whether it has a gradient. */
  readonly trainable: readonly boolean[];
}

/** Reads the value of `--sparsifier`. @throws CONFIG_INVALID */
export function parseSparsifier(text: string): SparsifierName {
  const name = SPARSIFIER_NAMES.find((each) => each === text);
  if (name !== undefined) return name;
  throw new FreshetError(
    'CONFIG_INVALID',
    `--sparsifier ${text}: write ${SPARSIFIER_NAMES.slice(0, -1).join(', ')} or ${SPARSIFIER_NAMES.at(-1)}`,
  );
}

/**
 * A sparsifier whose replicas hold `shadow`, the weights of the newest published version (copied). `state`: that of a
 * checkpoint, copied; null: nothing has been left out yet. The selection matters to `shadow` alone.
 * @throws CONFIG_INVALID when the state is that of another sparsifier, MODEL_MISMATCH when that of another model
 */
export function createSparsifier(
  options: SparsifierOptions,
  shadow: Float32Array,
  model: Model,
  state: SparsifierState | null,
): Sparsifier {
  const { name } = options;
  if (name === 'shadow') {
    if (state !== null && state.name !== name) throw otherSparsifier(state.name, name);
    return new ShadowPublisher(shadow, model, options);
  }
  const publisher = new GradientPublisher(shadow, model, { ...options, name });
  if (state !== null) publisher.restore(state);
  return publisher;
}
