/** Weights in and out of a tfjs model, by name. tfjs's own layout (HWIO kernels); ONNX's is for the exporter. */

import { assert } from '@freshet/protocol/assert';
import { FreshetError } from '@freshet/protocol/errors';
import * as tf from '@tensorflow/tfjs-core';
import type { LayersModel, LayerVariable } from '@tensorflow/tfjs-layers';
import { peekTensor } from './kernels/peek-tensor.ts';

export interface NamedWeights {
  /** Layer and weight, `conv1/kernel`. */
  readonly name: string;
  readonly shape: readonly number[];
  /** Row-major. */
  readonly values: Float32Array;
}

/**
 * The name of a weight within its model. A variable's `name` is unique in the process, so that a second model of the
 * same recipe has `conv1/kernel_1`; what it was asked to be called is the same for both.
 */
export function weightName(weight: LayerVariable): string {
  return weight.originalName;
}

/** The trainable variables of `model` by name, in the model's order. They stay the model's. */
export function trainableVariables(model: LayersModel): ReadonlyMap<string, tf.Variable> {
  // The value of a layer's weight is a variable of tfjs-core, which tfjs-layers types as its base class.
  const entries = model.trainableWeights.map(
    (weight) => [weightName(weight), weight.read() as tf.Variable] as const,
  );
  const variables = new Map(entries);
  assert(variables.size === entries.length, 'weights of a model have different names');
  return variables;
}

/**
 * All weights, moving statistics and the like included, in the order of `model.weights`. The arrays may be the
 * backend's own memory: only read them, and before the next operation of tfjs.
 */
export async function peekWeights(model: LayersModel): Promise<NamedWeights[]> {
  return Promise.all(
    model.weights.map(async (weight) => ({
      name: weightName(weight),
      shape: weight.read().shape,
      values: await peekTensor(weight.read()),
    })),
  );
}

/** The same as copies. */
export async function readWeights(model: LayersModel): Promise<NamedWeights[]> {
  return (await peekWeights(model)).map((weights) => ({ ...weights, values: weights.values.slice() }));
}

/**
 * Sets all weights to copies of `weights`, which may come in any order.
 * @throws MODEL_MISMATCH when they are not the weights of such a model; nothing is changed then
 */
export function writeWeights(model: LayersModel, weights: readonly NamedWeights[]): void {
  const byName = new Map(weights.map((tensor) => [tensor.name, tensor]));
  for (const weight of model.weights) {
    const name = weightName(weight);
    const given = byName.get(name);
    if (given === undefined) throw mismatch(`weights for ${name} are missing`);
    const { shape, size } = weight.read();
    if (given.shape.join() !== shape.join() || given.values.length !== size) {
      throw mismatch(`weights for ${name} have shape [${given.shape}], the model has [${shape}]`);
    }
  }
  if (byName.size !== model.weights.length) {
    throw mismatch(`there are weights for ${byName.size} tensors, the model has ${model.weights.length}`);
  }
  tf.tidy(() => {
    for (const weight of model.weights) {
      const { shape, values } = byName.get(weightName(weight))!;
      weight.write(tf.tensor(values.slice(), [...shape]));
    }
  });
}

function mismatch(what: string): FreshetError {
  return new FreshetError('MODEL_MISMATCH', `these weights belong to another model: ${what}`);
}
