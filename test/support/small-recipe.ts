/**
 * A recipe that trains in milliseconds and has what LeNet-5 has not: BatchNorm's moving statistics, a depthwise
 * convolution, strides, average pooling with padding. Its samples are two classes of random images: the left half
 * brighter, or the right.
 */
import type { Recipe } from '@freshet/trainer/learn/recipe';
import type { SampleSet } from '@freshet/trainer/learn/sample-source';
import * as tf from '@tensorflow/tfjs-core';
import { initializers, type LayersModel, layers, sequential } from '@tensorflow/tfjs-layers';
import { seededFloats } from './numerics.ts';

const SIDE = 8;
export const INPUT_ELEMENTS = SIDE * SIDE;
const CLASS_COUNT = 2;

export function recipeOf(inputShape: readonly number[], buildModel: (seed: number) => LayersModel): Recipe {
  return {
    name: 'small',
    inputShape,
    classCount: CLASS_COUNT,
    buildModel,
    loss: (labels, logits) =>
      tf.losses.softmaxCrossEntropy<tf.Tensor, tf.Scalar>(tf.oneHot(labels, CLASS_COUNT), logits),
    openSource: () => ({
      inputElements: INPUT_ELEMENTS,
      classCount: CLASS_COUNT,
      train: halves(1_000),
      test: halves(2_000),
    }),
  };
}

export const smallRecipe = recipeOf([SIDE, SIDE, 1], (seed) => {
  const model = sequential();
  const kernelInitializer = initializers.glorotUniform({ seed });
  model.add(
    layers.conv2d({
      name: 'conv',
      inputShape: [SIDE, SIDE, 1],
      filters: 3,
      kernelSize: 3,
      strides: 2,
      padding: 'same',
      kernelInitializer,
    }),
  );
  model.add(layers.batchNormalization({ name: 'norm', momentum: 0.9 }));
  model.add(layers.activation({ name: 'relu', activation: 'relu' }));
  model.add(
    layers.depthwiseConv2d({
      name: 'depthwise',
      kernelSize: 3,
      padding: 'same',
      depthwiseInitializer: kernelInitializer,
    }),
  );
  model.add(layers.averagePooling2d({ name: 'pool', poolSize: 3, strides: 2, padding: 'same' }));
  model.add(layers.flatten({ name: 'flatten' }));
  model.add(layers.dense({ name: 'logits', units: CLASS_COUNT, kernelInitializer }));
  return model;
});

function halves(firstSeed: number): SampleSet {
  const label = (index: number) => (index * 7 + (index >> 3)) % 2;
  return {
    count: 400,
    label,
    copyInput(index, target, targetOffset) {
      const pixels = seededFloats(INPUT_ELEMENTS, firstSeed + index);
      for (let pixel = 0; pixel < INPUT_ELEMENTS; pixel++) {
        const half = pixel % SIDE < SIDE / 2 ? 0 : 1;
        target[targetOffset + pixel] = pixels[pixel]! + (half === label(index) ? 0.5 : 0);
      }
    },
  };
}

/** Samples [first, first + count) as a batch. */
export function batchOf(samples: SampleSet, first: number, count: number, inputElements: number) {
  const inputs = new Float32Array(count * inputElements);
  const labels = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    samples.copyInput(first + i, inputs, i * inputElements);
    labels[i] = samples.label(first + i);
  }
  return { inputs, labels };
}
