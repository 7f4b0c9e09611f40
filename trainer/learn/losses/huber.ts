/**
 * Huber's loss (1964): with the error e = output − target, e²/2 where |e| ≤ δ and δ(|e| − δ/2) beyond, so that an
 * outlier pulls no harder than an error of δ. The mean over batch and elements.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { Loss } from './loss.ts';

/** `delta`: positive, in the target's unit. */
export function huber(delta: number): Loss {
  return (targets, outputs) => {
    const size = tf.abs(tf.sub(outputs, targets));
    const inner = tf.minimum(size, delta);
    const outer = tf.sub(size, inner);
    return tf.mean<tf.Scalar>(tf.add(tf.mul(0.5, tf.square(inner)), tf.mul(delta, outer)));
  };
}
