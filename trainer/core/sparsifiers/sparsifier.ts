/**
 * What a sparsifier is: it decides which weights a publication carries, and keeps what is left out for later. Two kinds
 * stand behind it: one chooses among the trained weights when it publishes (`shadow`), the other thins out every
 * gradient before the optimiser and publishes what the gradients kept have named (`gradient`, `random-k`).
 */
import type { Root, WeightsVersion } from '@freshet/protocol/ids';
import type { Random } from '../random.ts';
import type { RoundedDelta } from '../round-values.ts';

/** The default first. */
export const SPARSIFIER_NAMES = ['shadow', 'gradient', 'random-k'] as const;
export type SparsifierName = (typeof SPARSIFIER_NAMES)[number];

export interface Publication extends RoundedDelta {
  /** For receivers that hold the shadow as it was. */
  readonly payload: Uint8Array;
  /** Weights that change; 0 when there was nothing to send. */
  readonly changedCount: number;
  /** Root of the shadow after the delta. */
  readonly root: Root;
}

/** Comes between the gradient and the optimiser. */
export interface GradientFilter {
  /**
   * Replaces `gradient` (canonical order, finite, 0 where a weight has none) by what the optimiser gets.
   * `random` is drawn from where the choice is random.
   */
  filter(gradient: Float32Array, random: Random): void;
}

/** All that a sparsifier has to remember beyond the shadow, which is the newest published version. */
export type SparsifierState =
  | { readonly name: 'shadow' }
  | {
      readonly name: 'gradient' | 'random-k';
      /** The sum of all gradients less what the optimiser got of them, in canonical order. */
      readonly memory: Float32Array;
      /** Weights that the optimiser got a gradient for since the last publication, ascending. */
      readonly touched: Uint32Array;
    };

export interface Sparsifier {
  /** What every up-to-date replica holds. Only read it; it changes with the next publication. */
  readonly shadow: Float32Array;
  /** To be applied to each gradient; null where the optimiser gets it as it is. */
  readonly gradientFilter: GradientFilter | null;
  /** Root of the shadow as the weights of `version`. */
  root(version: WeightsVersion): Root;
  /**
   * The delta to version `next`, towards `trained` (canonical order; not kept), already written into the shadow. It is
   * empty when nothing differs, or nothing by as much as the formats can tell. `density`: share of the weights in this
   * one delta, in (0, 1], where it is not that of the options; a sparsifier of gradients has chosen before and does not
   * heed it.
   * @throws LEARNER_DIVERGED when a trained weight is NaN or infinite: such weights are never published.
   * CONFIG_INVALID when the delta is too large for a message. Nothing has changed then.
   */
  publish(trained: Float32Array, next: WeightsVersion, density?: number): Publication;
  /** A copy of what a checkpoint has to hold. */
  state(): SparsifierState;
}
