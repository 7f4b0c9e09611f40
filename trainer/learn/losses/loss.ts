/** What training makes small. */
import type * as tf from '@tensorflow/tfjs-core';

/**
 * The mean loss of a batch: a float32 scalar, differentiable with respect to `outputs`. `targets`: int32 classes
 * [batch], or float32 vectors [batch, elements]. `outputs`: what the model gave, float32 [batch, elements]. Runs inside
 * a gradient tape; what it makes is freed by the caller's tidy.
 */
export type Loss = (targets: tf.Tensor, outputs: tf.Tensor2D) => tf.Scalar;
