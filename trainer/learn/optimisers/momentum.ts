/**
 * Descent with momentum, v ← μ·v + g and w ← w − α·v: the learning rate stands outside of the velocity, as in tfjs and
 * PyTorch, so that a change of it takes hold at once. With Nesterov's look-ahead, w ← w − α·(g + μ·v), in the form of
 * Sutskever et al., "On the importance of initialization and momentum in deep learning" (ICML 2013).
 */
import { assert } from '@freshet/protocol/assert';
import * as tf from '@tensorflow/tfjs-core';
import type { UpdateRule } from './update-rule.ts';

export function momentum(coefficient: number, nesterov: boolean): UpdateRule {
  assert(coefficient > 0 && coefficient < 1, 'a momentum between 0 and 1');
  return {
    name: 'momentum',
    slotNames: ['velocity'],
    apply({ value, slots, gradient, learningRate }) {
      const velocity = tf.add(tf.mul(slots[0]!, coefficient), gradient);
      const direction = nesterov ? tf.add(gradient, tf.mul(velocity, coefficient)) : velocity;
      return { value: tf.sub(value, tf.mul(direction, learningRate)), slots: [velocity] };
    },
  };
}
