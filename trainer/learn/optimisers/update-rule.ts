/** How one optimiser moves one tensor: formulas only, over tfjs tensors. Who keeps the tensors is `optimiser.ts`. */
import type * as tf from '@tensorflow/tfjs-core';

/** The names are those of options and checkpoints. */
export type RuleName = 'adam' | 'amsgrad' | 'momentum' | 'sgd';

export interface RuleInput {
  readonly value: tf.Tensor;
  /** In the order of `slotNames`; of the shape of `value`, zeros before the first update. */
  readonly slots: readonly tf.Tensor[];
  readonly gradient: tf.Tensor;
  readonly learningRate: number;
  /** Which update this is, from 1. */
  readonly updateCount: number;
}

export interface RuleOutput {
  readonly value: tf.Tensor;
  readonly slots: readonly tf.Tensor[];
}

export interface UpdateRule {
  readonly name: RuleName;
  /** What the rule remembers of each tensor between updates, one tensor of the same shape each. */
  readonly slotNames: readonly string[];
  /** New tensors; runs inside a tidy, changes and frees none of those that it is given. */
  apply(input: RuleInput): RuleOutput;
}
