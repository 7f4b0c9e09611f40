/**
 * Adam (Kingma and Ba, 2015, algorithm 1 in the order of computation given at the end of its section 2), with the
 * defaults of tfjs's `tf.train.adam`.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { RuleInput, UpdateRule } from './update-rule.ts';

const BETA_1 = 0.9;
const BETA_2 = 0.999;
const EPSILON = 1e-7;

export const adam: UpdateRule = {
  name: 'adam',
  slotNames: ['first', 'second'],
  apply(input) {
    const { first, second } = adamMoments(input);
    return { value: adamStep(input, first, second), slots: [first, second] };
  },
};

/** Running means of the gradient and of its square. */
export function adamMoments({ slots, gradient }: RuleInput): {
  readonly first: tf.Tensor;
  readonly second: tf.Tensor;
} {
  return {
    first: tf.add(tf.mul(slots[0]!, BETA_1), tf.mul(gradient, 1 - BETA_1)),
    second: tf.add(tf.mul(slots[1]!, BETA_2), tf.mul(tf.square(gradient), 1 - BETA_2)),
  };
}

/**
 * The weights after a step along `first`, scaled down by the root of `second`. Both bias corrections are folded into the step size and ε: none costs a pass over
 * the tensor.
 */
export function adamStep(
  { value, learningRate, updateCount }: RuleInput,
  first: tf.Tensor,
  second: tf.Tensor,
): tf.Tensor {
  const correction = Math.sqrt(1 - BETA_2 ** updateCount);
  const stepSize = (learningRate * correction) / (1 - BETA_1 ** updateCount);
  const direction = tf.div(first, tf.add(tf.sqrt(second), EPSILON * correction));
  return tf.sub(value, tf.mul(direction, stepSize));
}
