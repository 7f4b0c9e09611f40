/** The mean over batch and elements of (output − target)². */
import * as tf from '@tensorflow/tfjs-core';
import type { Loss } from './loss.ts';

export const meanSquaredError: Loss = (targets, outputs) =>
  tf.mean<tf.Scalar>(tf.squaredDifference(outputs, targets));
