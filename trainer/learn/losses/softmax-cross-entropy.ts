/** Softmax cross-entropy: −ln softmax(logits)[class]. For exactly one class of several. */
import * as tf from '@tensorflow/tfjs-core';
import type { Loss } from './loss.ts';

/** Targets are classes below `classCount`, outputs logits. */
export function softmaxCrossEntropy(classCount: number): Loss {
  return (labels, logits) =>
    tf.losses.softmaxCrossEntropy<tf.Tensor, tf.Scalar>(tf.oneHot(labels, classCount), logits);
}
