/** A recipe: everything that is particular to one model, from its layers to its samples. */
import type * as tf from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import type { SampleSource } from './sample-source.ts';

export interface Recipe {
  /** The model's id: what agents ask for, `mnist-lenet5`. */
  readonly name: string;
  /** Shape of one input without the batch axis, channels last. */
  readonly inputShape: readonly number[];
  /** Classes, and outputs of the model. */
  readonly classCount: number;
  /**
   * A fresh model with random weights that depend on nothing but `seed`, so that equal seeds give equal bits on one
   * backend. It maps [batch, ...inputShape] to logits [batch, classCount]. Layer names are part of the contract:
   * weights are stored and published under them. The caller disposes of the model.
   */
  buildModel(seed: number): LayersModel;
  /** Mean loss of a batch: labels [batch] int32, logits [batch, classCount]. Runs inside a gradient tape. */
  loss(labels: tf.Tensor1D, logits: tf.Tensor2D): tf.Scalar;
  /**
   * Opens the samples; may read files.
   * @throws SAMPLES_INVALID
   */
  openSource(): SampleSource;
}
