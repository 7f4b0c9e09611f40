/**
 * One model in training: its weights, its optimiser, and the step that tests and then trains. Runs on the tfjs backend
 * that `selectBackend` started. Frees every tensor it makes: between calls only weights and optimiser state are alive.
 */

import { assert } from '@freshet/protocol/assert';
import { FreshetError } from '@freshet/protocol/errors';
import { inputElementCount } from '@freshet/protocol/sample-format';
import * as tf from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { BatchBuffer } from './batch-buffer.ts';
import { checkLoss } from './check-model.ts';
import { checkTrainable } from './check-trainable.ts';
import { type NamedWeights, readWeights, trainableVariables, writeWeights } from './model-weights.ts';
import { createOptimiser } from './optimisers/create-optimiser.ts';
import type { Optimiser, OptimiserState } from './optimisers/optimiser.ts';
import type { OptimiserSpec } from './optimisers/optimiser-spec.ts';
import type { Recipe } from './recipe.ts';
import { invalidField, runField, shown } from './recipe-error.ts';
import type { SampleSet } from './sample-source.ts';
import { type Targets, targetElementCount } from './targets.ts';

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
  /** The recipe's metric of each fresh sample, predicted before the model trained on it. */
  readonly freshMeasures: readonly number[];
}

/** What the model makes of samples without training on them. */
export interface TestOutcome {
  readonly loss: number;
  /** The recipe's metric of each sample. */
  readonly measures: readonly number[];
}

interface Differentiated {
  readonly loss: tf.Scalar;
  readonly gradients: ReadonlyMap<string, tf.Tensor>;
  /** The model's outputs for the fresh samples; absent when there are none. */
  readonly predicted?: tf.Tensor2D;
}

const LEARNING_RATE = 1e-3;
/** Samples of one forward pass in evaluation: bounds the memory, large enough to keep the backend busy. */
const EVALUATION_BATCH = 250;

export class TrainStep {
  /** Read it (to export it, say); its weights change only through this object. */
  readonly model: LayersModel;
  readonly recipe: Recipe;
  readonly #seed: number;
  readonly #inputElements: number;
  readonly #targetElements: number;
  readonly #variables: ReadonlyMap<string, tf.Variable>;
  readonly #optimizer: Optimiser;
  #learningRate: number;
  #gradientTransform: GradientTransform | null = null;
  #stepping = false;

  /**
   * Builds the model of `recipe`.
   * @throws CONFIG_INVALID when it does not fit the recipe's samples, or the loss does not fit it
   * @throws LAYER_UNSUPPORTED when the backend in use cannot train one of its layers
   */
  constructor(
    recipe: Recipe,
    { seed, learningRate = LEARNING_RATE, optimiser = { kind: 'adam' } }: TrainStepOptions,
  ) {
    this.recipe = recipe;
    this.#seed = seed;
    this.#inputElements = inputElementCount(recipe.format);
    this.#targetElements = targetElementCount(recipe.format.target);
    checkLoss(recipe.loss, recipe.format);
    this.model = recipe.buildModel(seed);
    try {
      checkTrainable(this.model, recipe.format.inputShape);
    } catch (error) {
      this.model.dispose();
      throw error;
    }
    this.#variables = trainableVariables(this.model);
    this.#optimizer = createOptimiser(optimiser, this.#variables);
    this.#learningRate = learningRate;
  }

  /**
   * Trains on one batch: `inputs` and `targets` hold its samples one after the other, the first `freshCount` of which
   * the model has not seen. They are predicted in the same forward pass that the gradient is taken of, before the
   * update (prequential evaluation, without a pass of its own). Inputs and targets are read before the promise is
   * returned, the targets of the fresh samples until it is settled. One step at a time.
   * @throws LEARNER_DIVERGED when loss or gradient is not finite; no trainable weight is changed then
   * @throws CONFIG_INVALID when the recipe's metric is not finite; no trainable weight is changed then
   */
  async step(inputs: Float32Array, targets: Targets, freshCount: number): Promise<StepOutcome> {
    assert(!this.#stepping, 'one step at a time');
    const count = this.#countOf(targets);
    assert(count > 0 && freshCount >= 0 && freshCount <= count, 'fresh samples are in the batch');
    const { loss, gradients, predicted } = this.#differentiate(inputs, targets, freshCount);
    const squares = sumOfSquares(gradients.values());
    this.#stepping = true;
    try {
      const [lossValue] = await loss.data<'float32'>();
      const gradientNorm = Math.sqrt((await squares.data<'float32'>())[0]!);
      const outputs = (await predicted?.data<'float32'>()) ?? new Float32Array();
      // The loss alone does not tell: a rectifier turns NaN into 0 on its way to the loss, but not in the gradient.
      if (!Number.isFinite(lossValue) || !Number.isFinite(gradientNorm)) {
        throw new FreshetError(
          'LEARNER_DIVERGED',
          `training diverged (loss ${lossValue}, gradient norm ${gradientNorm}): use a smaller learning rate`,
        );
      }
      const freshMeasures = this.#measure(outputs, targets, freshCount);
      await this.#update(gradients);
      return { loss: lossValue!, gradientNorm, freshMeasures };
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

  /** Loss, gradient of each variable by name, and outputs for the fresh samples; the caller frees them. */
  #differentiate(inputs: Float32Array, targets: Targets, freshCount: number): Differentiated {
    const x = this.#inputTensor(inputs, this.#countOf(targets));
    const y = this.#targetTensor(targets);
    const kept: { predicted?: tf.Tensor2D } = {};
    const { value, grads } = tf.variableGrads(() => {
      const outputs = this.#outputs(x, true);
      if (freshCount > 0) kept.predicted = tf.keep(tf.slice(outputs, 0, freshCount));
      return this.#lossOf(y, outputs);
    }, [...this.#variables.values()]);
    tf.dispose([x, y]);
    const gradients = new Map<string, tf.Tensor>();
    for (const [name, variable] of this.#variables) gradients.set(name, grads[variable.name]!);
    return { loss: value, gradients, ...kept };
  }

  /** Outputs [count, elements] for the `count` samples that lie one after the other in `inputs`. A new array. */
  async predict(inputs: Float32Array, count: number): Promise<Float32Array> {
    const outputs = tf.tidy(() => this.#outputs(this.#inputTensor(inputs, count), false));
    try {
      return Float32Array.from(await outputs.data<'float32'>());
    } finally {
      outputs.dispose();
    }
  }

  /**
   * Loss and metric of samples, laid out as for `step`, without training on them. Inputs are read before the promise is
   * returned, targets until it is settled.
   * @throws CONFIG_INVALID when the recipe's metric is not finite
   */
  async test(inputs: Float32Array, targets: Targets): Promise<TestOutcome> {
    const count = this.#countOf(targets);
    const { loss, outputs } = tf.tidy(() => {
      const predicted = this.#outputs(this.#inputTensor(inputs, count), false);
      return { outputs: predicted, loss: this.#lossOf(this.#targetTensor(targets), predicted) };
    });
    try {
      const values = await outputs.data<'float32'>();
      const [lossValue] = await loss.data<'float32'>();
      return { loss: lossValue!, measures: this.#measure(values, targets, count) };
    } finally {
      tf.dispose([loss, outputs]);
    }
  }

  /**
   * The mean of the recipe's metric over samples [begin, end) of `samples`. The range is not empty.
   * @throws SAMPLES_INVALID, CONFIG_INVALID
   */
  async evaluate(samples: SampleSet, begin: number, end: number): Promise<number> {
    assert(begin >= 0 && begin < end && end <= samples.count, 'a range of samples');
    const batches = new BatchBuffer(this.recipe, samples, Math.min(EVALUATION_BATCH, end - begin));
    let sum = 0;
    for (let first = begin; first < end; first += EVALUATION_BATCH) {
      const count = Math.min(EVALUATION_BATCH, end - first);
      const { inputs, targets } = batches.fill(Uint32Array.from({ length: count }, (_, i) => first + i));
      const { measures } = await this.test(inputs, targets);
      for (const measure of measures) sum += measure;
    }
    return sum / (end - begin);
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

  /** Weights as at the beginning, and an optimiser that has learnt nothing. */
  startAnew(): void {
    const fresh = this.recipe.buildModel(this.#seed);
    try {
      tf.tidy(() => this.model.setWeights(fresh.getWeights().map((weight) => weight.clone())));
    } finally {
      fresh.dispose();
    }
    this.resetOptimizer();
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

  #countOf(targets: Targets): number {
    const count = targets.length / this.#targetElements;
    assert(Number.isInteger(count), 'targets of whole samples');
    return count;
  }

  #inputTensor(inputs: Float32Array, count: number): tf.Tensor {
    assert(inputs.length === count * this.#inputElements, 'as many inputs as samples');
    // A copy: the cpu backend keeps the array it is given, and the caller may reuse its buffer at once.
    return tf.tensor(inputs.slice(), [count, ...this.recipe.format.inputShape]);
  }

  /** int32 classes [count], or float32 vectors [count, elements]. */
  #targetTensor(targets: Targets): tf.Tensor {
    const { target } = this.recipe.format;
    if (target.kind === 'vector') {
      return tf.tensor2d(targets.slice(), [this.#countOf(targets), target.elementCount]);
    }
    assert(
      targets.every((label) => label >= 0 && label < target.classCount),
      'a label is a class of the recipe',
    );
    return tf.tensor1d(targets.slice(), 'int32');
  }

  #outputs(x: tf.Tensor, training: boolean): tf.Tensor2D {
    // A model applied to a tensor gives a tensor; that its shape is right has been checked.
    return this.model.apply(x, { training }) as tf.Tensor2D;
  }

  /** What the recipe's loss makes of the outputs, and what the regularisers of the model's layers add to it. */
  #lossOf(targets: tf.Tensor, outputs: tf.Tensor2D): tf.Scalar {
    const loss = this.recipe.loss(targets, outputs);
    const penalties = this.model.calculateLosses();
    return penalties.length === 0 ? loss : tf.addN([loss, ...penalties]);
  }

  /** Over the first `count` samples. */
  #measure(outputs: Float32Array, targets: Targets, count: number): number[] {
    const { metric } = this.recipe;
    const outputElements = outputs.length / count;
    return Array.from({ length: count }, (_, i) => {
      const output = outputs.subarray(i * outputElements, (i + 1) * outputElements);
      const target = targets.subarray(i * this.#targetElements, (i + 1) * this.#targetElements);
      const value: unknown = runField('metric.measure', () => metric.measure(output, target));
      if (Number.isFinite(value)) return Number(value);
      throw invalidField('metric.measure', `gave ${shown(value)}; it has to give a finite number`);
    });
  }
}

function sumOfSquares(tensors: Iterable<tf.Tensor>): tf.Scalar {
  return tf.tidy(() => tf.addN([...tensors].map((tensor) => tf.sum<tf.Scalar>(tf.square(tensor)))));
}
