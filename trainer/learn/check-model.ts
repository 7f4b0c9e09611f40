/** Whether the model that a recipe builds fits the samples that it announces, and its loss the model. */

import type { SampleFormat } from '@freshet/protocol/sample-format';
import * as tf from '@tensorflow/tfjs-core';
import { LayersModel, type SymbolicTensor, type layers as tflLayers } from '@tensorflow/tfjs-layers';
import type { Loss } from './losses/loss.ts';
import type { LossFunction } from './recipe.ts';
import { invalidField, runField, shown, stackOf } from './recipe-error.ts';
import { outputElementCount } from './targets.ts';

/**
 * A model that is refused is disposed.
 * @throws CONFIG_INVALID naming what does not fit and what would
 */
export function checkModel(
  model: unknown,
  format: SampleFormat,
  loss: string | LossFunction,
): asserts model is LayersModel {
  if (!(model instanceof LayersModel)) {
    throw invalidField(
      'buildModel',
      `returned ${typeof model === 'object' ? 'something else than a LayersModel' : shown(model)}; it has to ` +
        'return a model made with the tf that it is given: one of another copy of tfjs cannot be trained here',
    );
  }
  try {
    checkEnd('input', model.inputs, format.inputShape, 'input.shape');
    const outputs = outputElementCount(format.target);
    checkEnd('output', model.outputs, [outputs], `target.${countField(format)}`);
    for (const layer of model.layers) checkName(layer);
    checkLogits(model, loss);
  } catch (error) {
    model.dispose();
    throw error;
  }
}

function countField({ target }: SampleFormat): string {
  return target.kind === 'class' ? 'classCount' : 'elementCount';
}

function checkEnd(
  what: 'input' | 'output',
  tensors: readonly SymbolicTensor[],
  shape: readonly number[],
  field: string,
): void {
  const [tensor, ...more] = tensors;
  if (tensor === undefined || more.length > 0) {
    throw invalidField('buildModel', `gives a model with ${tensors.length} ${what}s; it has to have one`);
  }
  const [, ...found] = tensor.shape;
  if (found.join() === shape.join()) return;
  throw invalidField(
    'buildModel',
    `gives a model whose ${what} is [batch, ${found.map((each) => each ?? '?').join(', ')}]; ` +
      `with ${field} as it is it has to be [batch, ${shape.join(', ')}]`,
  );
}

/** tfjs numbers the layers of a process that have no name: a second model of the recipe would have other weights. */
function checkName(layer: tflLayers.Layer): void {
  const isNumbered = new RegExp(`_${layer.getClassName()}\\d+$`).test(layer.name);
  if (!isNumbered || layer.weights.length === 0) return;
  throw invalidField(
    'buildModel',
    `gives a model with a ${layer.getClassName()} layer that has weights and no name; give it one, such as ` +
      "name: 'hidden1': weights are stored and published under it",
  );
}

/** A cross-entropy of probabilities instead of logits has a gradient too, and a model that hardly learns. */
function checkLogits(model: LayersModel, loss: string | LossFunction): void {
  const squashing =
    loss === 'softmax-cross-entropy' ? 'softmax' : loss === 'sigmoid-cross-entropy' ? 'sigmoid' : null;
  const last = model.outputs[0]?.sourceLayer;
  if (squashing === null || last === undefined) return;
  const activation = last.getClassName() === 'Softmax' ? 'softmax' : last.getConfig()['activation'];
  if (activation !== squashing) return;
  throw invalidField(
    'buildModel',
    `gives a model that ends in ${squashing}; loss "${loss}" takes logits and does that itself: leave it out`,
  );
}

/** @throws CONFIG_INVALID when the loss of a batch is no scalar, or has no gradient */
export function checkLoss(loss: Loss, { target }: SampleFormat): void {
  const batch = 2;
  const outputCount = outputElementCount(target);
  tf.tidy(() => {
    const targets = target.kind === 'class' ? tf.zeros([batch], 'int32') : tf.zeros([batch, outputCount]);
    const outputs = tf.zeros<tf.Rank.R2>([batch, outputCount]);
    const value: unknown = runField('loss', () => loss(targets, outputs));
    if (!(value instanceof tf.Tensor) || value.rank !== 0 || value.dtype !== 'float32') {
      const given = value instanceof tf.Tensor ? `a ${value.dtype} tensor [${value.shape}]` : shown(value);
      throw invalidField('loss', `gave ${given}; it has to give a float32 scalar: the mean of the batch`);
    }
    try {
      tf.grad((x) => loss(targets, tf.reshape(x, [batch, outputCount])))(outputs);
    } catch (error) {
      throw invalidField('loss', `cannot be differentiated: ${stackOf(error)}`, error);
    }
  });
}
