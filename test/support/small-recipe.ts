/**
 * A recipe that trains in milliseconds and has what LeNet-5 has not: BatchNorm's moving statistics, a depthwise
 * convolution, strides, average pooling with padding. Its samples are two classes of random images: the left half
 * brighter, or the right.
 */
import { BatchBuffer } from '@freshet/trainer/learn/batch-buffer';
import { defineRecipe, type Recipe } from '@freshet/trainer/learn/recipe';
import type { ClassSample, SampleSet } from '@freshet/trainer/learn/sample-source';
import { initializers, type LayersModel, layers, sequential } from '@tensorflow/tfjs-layers';
import { seededFloats } from './numerics.ts';

const SIDE = 8;
export const INPUT_ELEMENTS = SIDE * SIDE;
const CLASS_COUNT = 2;

export function recipeOf(inputShape: readonly number[], buildModel: (seed: number) => LayersModel): Recipe {
  return defineRecipe({
    name: 'small',
    input: { shape: inputShape, dtype: 'float32' },
    target: { kind: 'class', classCount: CLASS_COUNT },
    loss: 'softmax-cross-entropy',
    buildModel: ({ seed }) => buildModel(seed),
    openSource: () => ({ train: halves(1_000), test: halves(2_000), repeats: true }),
  });
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

function halves(firstSeed: number): SampleSet<ClassSample> {
  return {
    count: 400,
    sample(index) {
      const label = (index * 7 + (index >> 3)) % 2;
      const input = seededFloats(INPUT_ELEMENTS, firstSeed + index).map((value, pixel) => {
        const half = pixel % SIDE < SIDE / 2 ? 0 : 1;
        return value + (half === label ? 0.5 : 0);
      });
      return { input, label };
    },
  };
}

/** The samples that `recipe` trains on and those that it holds out. */
export function samplesOf(recipe: Recipe) {
  const { train, test } = recipe.openSource();
  if (train === null || test === null) throw new TypeError('the recipe has samples of both kinds');
  return { train, test };
}

/** Samples [first, first + count) of `samples` as a batch for the model of `recipe`. */
export function batchOf(recipe: Recipe, samples: SampleSet, first: number, count: number) {
  const indices = Uint32Array.from({ length: count }, (_, i) => first + i);
  return new BatchBuffer(recipe, samples, count).fill(indices);
}
