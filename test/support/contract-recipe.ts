/**
 * A model with every kind of layer whose gradient all backends compute rightly, small enough for `cpu` to train it in
 * a second: BatchNorm, strides, depthwise filters, max and average pooling.
 */
import { initializers, layers, sequential } from '@tensorflow/tfjs-layers';
import { INPUT_ELEMENTS, recipeOf } from './small-recipe.ts';

const SIDE = Math.sqrt(INPUT_ELEMENTS);

export const contractRecipe = recipeOf([SIDE, SIDE, 1], (seed) => {
  const kernelInitializer = initializers.glorotUniform({ seed });
  const model = sequential();
  model.add(
    layers.conv2d({
      name: 'conv1',
      inputShape: [SIDE, SIDE, 1],
      filters: 4,
      kernelSize: 3,
      padding: 'same',
      kernelInitializer,
    }),
  );
  model.add(layers.batchNormalization({ name: 'norm', momentum: 0.9 }));
  model.add(layers.activation({ name: 'relu', activation: 'relu' }));
  model.add(layers.maxPooling2d({ name: 'pool1', poolSize: 2 }));
  model.add(
    layers.depthwiseConv2d({
      name: 'depthwise',
      kernelSize: 3,
      padding: 'same',
      depthwiseInitializer: kernelInitializer,
    }),
  );
  model.add(
    layers.conv2d({
      name: 'conv2',
      filters: 6,
      kernelSize: 2,
      strides: 2,
      activation: 'relu',
      kernelInitializer,
    }),
  );
  model.add(layers.averagePooling2d({ name: 'pool2', poolSize: 2 }));
  model.add(layers.flatten({ name: 'flatten' }));
  model.add(layers.dense({ name: 'logits', units: 2, kernelInitializer }));
  return model;
});
