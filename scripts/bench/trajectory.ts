/** The weights of a model while it trains: what all bench cases are taken from. */
import type { Model } from '@freshet/protocol/model';

export interface Trajectory {
  readonly name: string;
  readonly model: Model;
  /** Weights that every replica holds at the beginning. */
  readonly initial: Float32Array;
  /** Dense weights after each further step; each of them is published. Never empty. */
  readonly trained: readonly Float32Array[];
}
