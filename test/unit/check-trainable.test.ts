/** A model that the backend cannot train is refused by name of the layer before anything is trained. */
import { strict as assert } from 'node:assert';
import { afterEach, before, describe, it } from 'node:test';
import { selectBackend } from '@freshet/trainer/learn/backends/select-backend';
import { checkTrainable } from '@freshet/trainer/learn/check-trainable';
import { mnistLenet5 } from '@freshet/trainer/learn/recipes/mnist-lenet5';
import { TrainStep } from '@freshet/trainer/learn/train-step';
import * as tf from '@tensorflow/tfjs-core';
import { layers, sequential } from '@tensorflow/tfjs-layers';
import { recipeOf, smallRecipe } from '../support/small-recipe.ts';

before(() => selectBackend('wasm'));

afterEach(() => selectBackend('wasm'));

function chain(inputShape: number[], ...stack: layers.Layer[]) {
  return recipeOf(inputShape, () => {
    const model = sequential();
    model.add(layers.inputLayer({ inputShape }));
    for (const layer of stack) model.add(layer);
    model.add(layers.flatten());
    model.add(layers.dense({ name: 'last', units: 2 }));
    return model;
  });
}

const image = [8, 8, 2];

describe('checkTrainable', () => {
  it('passes the models of our recipes and leaves their weights as they are', async () => {
    for (const recipe of [smallRecipe, mnistLenet5]) {
      const model = recipe.buildModel(1);
      const before = await Promise.all(model.getWeights().map((weight) => weight.data()));
      checkTrainable(model, recipe.format.inputShape);
      const after = await Promise.all(model.getWeights().map((weight) => weight.data()));
      assert.deepEqual(after, before);
      model.dispose();
      assert.equal(tf.memory().numTensors, 0, 'all tensors are freed');
    }
  });

  const refusals = [
    {
      what: 'a dilated convolution',
      recipe: () =>
        chain(
          image,
          layers.conv2d({ name: 'plain', filters: 2, kernelSize: 3 }),
          layers.conv2d({ name: 'dilated', filters: 2, kernelSize: 3, dilationRate: 2 }),
        ),
      message: /^layer dilated \(Conv2D\) cannot be trained: .*dilation rates greater than 1/,
    },
    {
      what: 'an embedding, whose gradient the wasm backend lacks',
      recipe: () => chain([4], layers.embedding({ name: 'words', inputDim: 5, outputDim: 3 })),
      message: /^layer words \(Embedding\) cannot be trained: .*UnsortedSegmentSum/,
    },
    {
      what: 'a 3-D convolution, whose gradient is wrong on wasm',
      recipe: () => chain([4, 4, 4, 1], layers.conv3d({ name: 'volume', filters: 1, kernelSize: 2 })),
      message: /^layer volume \(Conv3D\) cannot be trained: tfjs computes its gradient wrongly on the wasm/,
    },
  ];
  for (const { what, recipe, message } of refusals) {
    it(`refuses ${what}`, () => {
      assert.throws(() => new TrainStep(recipe(), { seed: 1 }), { code: 'LAYER_UNSUPPORTED', message });
    });
  }

  it('refuses padded average pooling on cpu, where its gradient is wrong, and not on wasm', async () => {
    const padded = () =>
      chain(image, layers.averagePooling2d({ name: 'mean', poolSize: 3, padding: 'same' }));
    new TrainStep(padded(), { seed: 1 }).dispose();
    await selectBackend('cpu');
    assert.throws(() => new TrainStep(padded(), { seed: 1 }), {
      code: 'LAYER_UNSUPPORTED',
      message: /^layer mean \(AveragePooling2D\) .*wrongly with padding 'same' on the cpu backend/,
    });
    new TrainStep(chain(image, layers.averagePooling2d({ poolSize: 2 })), { seed: 1 }).dispose();
  });
});
