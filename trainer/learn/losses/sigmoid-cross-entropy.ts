/**
 * Sigmoid cross-entropy, the mean over batch and elements of −z ln σ(x) − (1 − z) ln(1 − σ(x)). For several labels
 * that each hold or not. tfjs computes it in the form that no logit makes overflow.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { Loss } from './loss.ts';

/** Targets are in [0, 1], outputs logits. */
export const sigmoidCrossEntropy: Loss = (targets, logits) =>
  tf.losses.sigmoidCrossEntropy<tf.Tensor, tf.Scalar>(targets, logits);
