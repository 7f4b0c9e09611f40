/** Stochastic gradient descent: w ← w − α·g. */
import * as tf from '@tensorflow/tfjs-core';
import type { UpdateRule } from './update-rule.ts';

export const sgd: UpdateRule = {
  name: 'sgd',
  slotNames: [],
  apply: ({ value, gradient, learningRate }) => ({
    value: tf.sub(value, tf.mul(gradient, learningRate)),
    slots: [],
  }),
};
