/**
 * Sigmoid cross-entropy, the mean over batch and elements of −z ln σ(x) − (1 − z) ln(1 − σ(x)). For several labels
 * that each hold or not.
 *
 * With a gradient of its own, σ(x) − z: tfjs differentiates the parts of its stable form, max(x, 0) − xz +
 * ln(1 + e^−|x|), one by one, and takes 0 for both kinks at x = 0, where logits begin when a layer starts from zeros.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { Loss } from './loss.ts';

/** Targets are in [0, 1], outputs logits. */
export const sigmoidCrossEntropy: Loss = (targets, logits) =>
  tf.mean<tf.Scalar>(elementwise(targets, logits));

const elementwise = tf.customGrad((...given) => {
  // tfjs passes the tensors and then the function that keeps some for the gradient; its type says only "or".
  const [z, x, save] = given as [tf.Tensor, tf.Tensor, tf.GradSaveFunc];
  save([z, x]);
  const rest = tf.log1p(tf.exp(tf.neg(tf.abs(x))));
  return {
    value: tf.add(tf.sub(tf.relu(x), tf.mul(x, z)), rest),
    gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => {
      const [targets, logits] = saved as [tf.Tensor, tf.Tensor];
      return [tf.mul(dy, tf.neg(logits)), tf.mul(dy, tf.sub(tf.sigmoid(logits), targets))];
    },
  };
});
