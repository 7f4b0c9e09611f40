/**
 * One model in training: its weights, its optimiser, and the step that tests and then trains. Runs on the tfjs backend
 * that `selectBackend` started. Frees every tensor it makes: between calls only weights and optimiser state are alive.
 */

import { assert } from '@freshet/protocol/assert';
import { FreshetError } from '@freshet/protocol/errors';
import * as tf from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { checkTrainable } from './check-trainable.ts';
import { type NamedWeights, readWeights, trainableVariables, writeWeights } from './model-weights.ts';
import { createOptimiser } from './optimisers/create-optimiser.ts';
import type { Optimiser, OptimiserState } from './optimisers/optimiser.ts';
import type { OptimiserSpec } from './optimisers/optimiser-spec.ts';
import type { Recipe } from './recipe.ts';
import type { SampleSet } from './sample-source.ts';

export interface TrainStepOptions {
  /** Of the initial weights. */
  readonly seed: number;
  /** Of the first steps, until `setLearningRate`; 1e-3 by default. */
  readonly learningRate?: number;
  /** Adam by default. */
  readonly optimiser?: OptimiserSpec;
}

/**
 * Makes of the gradients of a step what the optimiser gets: one new tensor for each name, which the caller frees. The
 * gradients themselves stay the caller's.
 */
export type GradientTransform = (
  gradients: ReadonlyMap<string, tf.Tensor>,
) => Promise<ReadonlyMap<string, tf.Tensor>>;

export interface StepOutcome {
  /** Mean loss of the batch, before the update. */
  readonly loss: number;
  /** Euclidean norm of the gradient over all weights. */
  readonly gradientNorm: number;
  /** How many of the fresh samples the model classified rightly before it trained on them. */
  readonly correctFresh: number;
}

interface Differentiated {
  readonly loss: tf.Scalar;
  readonly gradients: ReadonlyMap<string, tf.Tensor>;
  /** Absent when no sample is fresh. */
  readonly predicted?: tf.Tensor1D;
}

const LEARNING_RATE = 1e-3;
/** Samples of one forward pass in evaluation: bounds the memory, large enough to keep the backend busy. */
const EVALUATION_BATCH = 250;

export class TrainStep {
  /** Read it (to export it, say); its weights change only through this object. */
  readonly model: LayersModel;
  readonly #recipe: Recipe;
  readonly #inputElements: number;
  readonly #variables: ReadonlyMap<string, tf.Variable>;
  readonly #optimizer: Optimiser;
  #learningRate: number;
  #gradientTransform: GradientTransform | null = null;
  #stepping = false;

  /**
   * Builds the model of `recipe`.
   * @throws LAYER_UNSUPPORTED when the backend in use cannot train one of its layers
   */
  constructor(
    recipe: Recipe,
    { seed, learningRate = LEARNING_RATE, optimiser = { kind: 'adam' } }: TrainStepOptions,
  ) {
    this.#recipe = recipe;
    this.#inputElements = recipe.inputShape.reduce((product, dimension) => product * dimension, 1);
    this.model = recipe.buildModel(seed);
    try {
      checkTrainable(this.model, recipe.inputShape);
    } catch (error) {
      this.model.dispose();
      throw error;
    }
    this.#variables = trainableVariables(this.model);
    this.#optimizer = createOptimiser(optimiser, this.#variables);
    this.#learningRate = learningRate;
  }

  /**
   * Trains on one batch: `inputs` holds labels.length samples one after the other, the first `freshCount` of which the
   * model has not seen. Their classes are predicted in the same forward pass that the gradient is taken of, before the
   * update (prequential evaluation, without a pass of its own). Buffers are read before the promise is returned.
   * One step at a time.
   * @throws LEARNER_DIVERGED when loss or gradient is not finite; no trainable weight is changed then
   */
  async step(inputs: Float32Array, labels: Int32Array, freshCount: number): Promise<StepOutcome> {
    assert(!this.#stepping, 'one step at a time');
    assert(
      labels.length > 0 && freshCount >= 0 && freshCount <= labels.length,
      'fresh samples are in the batch',
    );
    assert(
      labels.every((label) => label >= 0 && label < this.#recipe.classCount),
      'a label is a class of the recipe',
    );
    const { loss, gradients, predicted } = this.#differentiate(inputs, labels, freshCount);
    const squares = sumOfSquares(gradients.values());
    this.#stepping = true;
    try {
      const [lossValue] = await loss.data<'float32'>();
      const gradientNorm = Math.sqrt((await squares.data<'float32'>())[0]!);
      const classes = (await predicted?.data<'int32'>()) ?? [];
      // The loss alone does not tell: a rectifier turns NaN into 0 on its way to the loss, but not in the gradient.
      if (!Number.isFinite(lossValue) || !Number.isFinite(gradientNorm)) {
        throw new FreshetError(
          'LEARNER_DIVERGED',
          `training diverged (loss ${lossValue}, gradient norm ${gradientNorm}): use a smaller learning rate`,
        );
      }
      await this.#update(gradients);
      return { loss: lossValue!, gradientNorm, correctFresh: countEqual(classes, labels) };
    } finally {
      tf.dispose([loss, squares, ...gradients.values()]);
      predicted?.dispose();
      this.#stepping = false;
    }
  }

  async #update(gradients: ReadonlyMap<string, tf.Tensor>): Promise<void> {
    if (this.#gradientTransform === null) {
      this.#optimizer.update(gradients, this.#learningRate);
      return;
    }
    const transformed = await this.#gradientTransform(gradients);
    this.#optimizer.update(transformed, this.#learningRate);
    tf.dispose([...transformed.values()]);
  }

  /** Loss, gradient of each variable by name, and predicted classes of the fresh samples; the caller frees them. */
  #differentiate(inputs: Float32Array, labels: Int32Array, freshCount: number): Differentiated {
    const x = this.#inputTensor(inputs, labels.length);
    const y = tf.tensor1d(labels.slice(), 'int32');
    const kept: { predicted?: tf.Tensor1D } = {};
    const { value, grads } = tf.variableGrads(() => {
      const logits = this.#logits(x, true);
      if (freshCount > 0) kept.predicted = tf.keep(argMax(tf.slice(logits, 0, freshCount)));
      return this.#recipe.loss(y, logits);
    }, [...this.#variables.values()]);
    tf.dispose([x, y]);
    const gradients = new Map<string, tf.Tensor>();
    for (const [name, variable] of this.#variables) gradients.set(name, grads[variable.name]!);
    return { loss: value, gradients, ...kept };
  }

  /** Logits [count, classCount] of `count` samples that lie one after the other in `inputs`. A new array. */
  async predict(inputs: Float32Array, count: number): Promise<Float32Array> {
    const logits = tf.tidy(() => this.#logits(this.#inputTensor(inputs, count), false));
    try {
      return Float32Array.from(await logits.data<'float32'>());
    } finally {
      logits.dispose();
    }
  }

  /** The share of samples [begin, end) of `samples` that the model classifies rightly. The range is not empty. */
  async evaluate(samples: SampleSet, begin: number, end: number): Promise<number> {
    assert(begin >= 0 && begin < end && end <= samples.count, 'a range of samples');
    const inputs = new Float32Array(Math.min(EVALUATION_BATCH, end - begin) * this.#inputElements);
    let correct = 0;
    for (let first = begin; first < end; first += EVALUATION_BATCH) {
      const count = Math.min(EVALUATION_BATCH, end - first);
      const labels = new Int32Array(count);
      for (let i = 0; i < count; i++) {
        samples.copyInput(first + i, inputs, i * this.#inputElements);
        labels[i] = samples.label(first + i);
      }
      const batch = inputs.subarray(0, count * this.#inputElements);
      const predicted = tf.tidy(() => argMax(this.#logits(this.#inputTensor(batch, count), false)));
      try {
        correct += countEqual(await predicted.data<'int32'>(), labels);
      } finally {
        predicted.dispose();
      }
    }
    return correct / (end - begin);
  }

  /** A copy of all weights by name, those that are not trained but move (BatchNorm's statistics) included. */
  readWeights(): Promise<NamedWeights[]> {
    return readWeights(this.model);
  }

  /** @throws MODEL_MISMATCH when they are weights of another model; nothing is changed then */
  writeWeights(weights: readonly NamedWeights[]): void {
    writeWeights(this.model, weights);
  }

  /** A copy of the optimiser's state. With the weights of the same moment it is a complete checkpoint. */
  readOptimizer(): Promise<OptimiserState> {
    return this.#optimizer.read();
  }

  /**
   * @throws MODEL_MISMATCH when it is the state for another model, CONFIG_INVALID when for another kind of optimiser;
   * nothing is changed then
   */
  writeOptimizer(state: OptimiserState): void {
    this.#optimizer.write(state);
  }

  /** The optimiser begins anew, with the weights that there are. */
  resetOptimizer(): void {
    this.#optimizer.reset();
  }

  /** The learning rate of the steps from now on. It is no part of the state: whoever resumes sets it again. */
  setLearningRate(learningRate: number): void {
    this.#learningRate = learningRate;
  }

  /** What the gradients of the steps from now on go through; null: nothing. */
  setGradientTransform(transform: GradientTransform | null): void {
    this.#gradientTransform = transform;
  }

  /** Names of the weights that have a gradient. */
  get trainableNames(): ReadonlySet<string> {
    return new Set(this.#variables.keys());
  }

  /** Frees the model and the optimiser. */
  dispose(): void {
    this.#optimizer.dispose();
    this.model.dispose();
  }

  #inputTensor(inputs: Float32Array, count: number): tf.Tensor {
    assert(inputs.length === count * this.#inputElements, 'as many inputs as samples');
    // A copy: the cpu backend keeps the array it is given, and the caller may reuse its buffer at once.
    return tf.tensor(inputs.slice(), [count, ...this.#recipe.inputShape]);
  }

  #logits(x: tf.Tensor, training: boolean): tf.Tensor2D {
    // A model applied to a tensor gives a tensor; the recipe promises its shape.
    return this.model.apply(x, { training }) as tf.Tensor2D;
  }
}

/** The class with the largest logit, row by row: int32. */
function argMax(logits: tf.Tensor2D): tf.Tensor1D {
  return tf.argMax<tf.Tensor1D>(logits, 1);
}

function sumOfSquares(tensors: Iterable<tf.Tensor>): tf.Scalar {
  return tf.tidy(() => tf.addN([...tensors].map((tensor) => tf.sum<tf.Scalar>(tf.square(tensor)))));
}

/** At how many positions `predicted` and the beginning of `labels` agree. */
function countEqual(predicted: ArrayLike<number>, labels: Int32Array): number {
  let equal = 0;
  for (let i = 0; i < predicted.length; i++) if (predicted[i] === labels[i]) equal += 1;
  return equal;
}
