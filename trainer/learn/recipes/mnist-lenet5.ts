/**
 * LeNet-5 on the MNIST digits, with ReLU and max pooling: 61,706 weights in 10 tensors. Small enough to train on any
 * machine, large enough to show what sparse updates save.
 */
import * as tf from '@tensorflow/tfjs-core';
import { initializers, layers, sequential } from '@tensorflow/tfjs-layers';
import { createRandom } from '../../core/random.ts';
import type { Recipe } from '../recipe.ts';
import { openMnist } from '../sources/mnist.ts';

const INPUT_SHAPE = [28, 28, 1];
const CLASS_COUNT = 10;

export const mnistLenet5: Recipe = {
  name: 'mnist-lenet5',
  inputShape: INPUT_SHAPE,
  classCount: CLASS_COUNT,

  buildModel(seed) {
    const random = createRandom(seed);
    // tfjs takes a seed of 0 for none, and gives layers of one seed and shape the same weights.
    const glorot = () => initializers.glorotUniform({ seed: 1 + random.integerBelow(2 ** 31 - 1) });
    const model = sequential({ name: 'lenet5' });
    model.add(
      layers.conv2d({
        name: 'conv1',
        inputShape: INPUT_SHAPE,
        filters: 6,
        kernelSize: 5,
        padding: 'same',
        activation: 'relu',
        kernelInitializer: glorot(),
      }),
    );
    model.add(layers.maxPooling2d({ name: 'pool1', poolSize: 2 }));
    model.add(
      layers.conv2d({
        name: 'conv2',
        filters: 16,
        kernelSize: 5,
        activation: 'relu',
        kernelInitializer: glorot(),
      }),
    );
    model.add(layers.maxPooling2d({ name: 'pool2', poolSize: 2 }));
    model.add(layers.flatten({ name: 'flatten' }));
    model.add(layers.dense({ name: 'dense1', units: 120, activation: 'relu', kernelInitializer: glorot() }));
    model.add(layers.dense({ name: 'dense2', units: 84, activation: 'relu', kernelInitializer: glorot() }));
    model.add(layers.dense({ name: 'logits', units: CLASS_COUNT, kernelInitializer: glorot() }));
    return model;
  },

  loss: (labels, logits) =>
    tf.losses.softmaxCrossEntropy<tf.Tensor, tf.Scalar>(tf.oneHot(labels, CLASS_COUNT), logits),

  openSource: () => openMnist(),
};
