/**
 * Small tfjs models with random weights on the `cpu` backend, tfjs's reference: LeNet-5, and a table that exercises
 * each exported layer and option with its neighbours.
 */
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';

export async function useCpuBackend(): Promise<void> {
  // Silences tfjs's advertisement for its native backend.
  tf.env().set('IS_TEST', true);
  await tf.setBackend('cpu');
  await tf.ready();
}

const { layers } = tfl;

type Layer = tfl.layers.Layer;

function chain(inputShape: number[], ...stack: Layer[]): tfl.LayersModel {
  const model = tfl.sequential();
  model.add(layers.inputLayer({ inputShape }));
  for (const layer of stack) model.add(layer);
  return model;
}

/** The classic for 28 × 28 digits: 61,706 weights in 10 tensors. */
export function leNet5(): tfl.LayersModel {
  return chain(
    [28, 28, 1],
    layers.conv2d({ name: 'conv1', filters: 6, kernelSize: 5, padding: 'same', activation: 'relu' }),
    layers.maxPooling2d({ name: 'pool1', poolSize: 2 }),
    layers.conv2d({ name: 'conv2', filters: 16, kernelSize: 5, activation: 'relu' }),
    layers.maxPooling2d({ name: 'pool2', poolSize: 2 }),
    layers.flatten({ name: 'flatten' }),
    layers.dense({ name: 'dense1', units: 120, activation: 'relu' }),
    layers.dense({ name: 'dense2', units: 84, activation: 'relu' }),
    layers.dense({ name: 'dense3', units: 10 }),
  );
}

/** What each model is there for, and how it is built. */
export const SMALL_MODELS: Readonly<Record<string, () => tfl.LayersModel>> = {
  'three channels, valid': () =>
    chain([6, 7, 3], layers.conv2d({ filters: 4, kernelSize: [3, 2], activation: 'tanh' })),
  'convolution without bias': () =>
    chain([5, 5, 2], layers.conv2d({ filters: 3, kernelSize: 3, useBias: false, activation: 'sigmoid' })),
  'one-pixel kernel': () => chain([4, 5, 3], layers.conv2d({ filters: 2, kernelSize: 1 })),
  'same with stride 2, even size': () =>
    chain([8, 6, 2], layers.conv2d({ filters: 3, kernelSize: 3, strides: 2, padding: 'same' })),
  'same with stride 2, odd size': () =>
    chain([7, 9, 2], layers.conv2d({ filters: 3, kernelSize: 3, strides: 2, padding: 'same' })),
  'same with an even kernel': () =>
    chain([5, 6, 2], layers.conv2d({ filters: 3, kernelSize: [4, 2], padding: 'same' })),
  'same with unequal strides': () =>
    chain([10, 7, 2], layers.conv2d({ filters: 2, kernelSize: 5, strides: [3, 2], padding: 'same' })),
  'stride larger than the kernel': () =>
    chain([8, 9, 2], layers.conv2d({ filters: 2, kernelSize: 1, strides: 3, padding: 'same' })),
  'valid with stride 2 that does not divide': () =>
    chain([8, 9, 2], layers.conv2d({ filters: 2, kernelSize: 3, strides: 2 })),
  'dilated kernel': () =>
    chain([9, 8, 2], layers.conv2d({ filters: 2, kernelSize: 3, dilationRate: 2, padding: 'same' })),
  'average pooling, valid': () =>
    chain([7, 6, 2], layers.averagePooling2d({ poolSize: [3, 2], strides: [2, 1] })),
  'average pooling, same': () =>
    chain([7, 6, 2], layers.averagePooling2d({ poolSize: 3, strides: 2, padding: 'same' })),
  'maximum pooling, same': () =>
    chain([7, 6, 2], layers.maxPooling2d({ poolSize: 3, strides: 2, padding: 'same' })),
  'flatten of several channels into dense': () =>
    chain(
      [6, 5, 3],
      layers.conv2d({ filters: 4, kernelSize: 2 }),
      layers.flatten(),
      layers.dense({ units: 5, useBias: false }),
    ),
  'flatten of the input itself': () => chain([4, 3, 2], layers.flatten(), layers.dense({ units: 3 })),
  'layers between flatten and dense': () =>
    chain(
      [5, 4, 2],
      layers.averagePooling2d({ poolSize: 2 }),
      layers.flatten(),
      layers.dropout({ rate: 0.5 }),
      layers.activation({ activation: 'softmax' }),
      layers.dense({ units: 3, activation: 'softmax' }),
    ),
  'flatten as the last layer': () =>
    chain([5, 4, 2], layers.conv2d({ filters: 3, kernelSize: 2 }), layers.flatten()),
  'flatten, reshape, convolution': () =>
    chain(
      [4, 4, 2],
      layers.maxPooling2d({ poolSize: 2 }),
      layers.flatten(),
      layers.reshape({ targetShape: [4, 2, 1] }),
      layers.conv2d({ filters: 2, kernelSize: 2 }),
    ),
  'softmax over channels': () =>
    chain([4, 3, 2], layers.conv2d({ filters: 5, kernelSize: 2, activation: 'softmax' })),
  'softmax layer over channels': () =>
    chain([4, 3, 2], layers.conv2d({ filters: 5, kernelSize: 2 }), layers.softmax({ axis: -1 })),
  'dense on pixels': () =>
    chain(
      [4, 3, 2],
      layers.conv2d({ filters: 5, kernelSize: 2 }),
      layers.dense({ units: 3, activation: 'relu' }),
    ),
  'dense on pixels without bias': () => chain([3, 4], layers.dense({ units: 2, useBias: false })),
  'image, then dense on pixels, then image': () =>
    chain(
      [5, 5, 2],
      layers.maxPooling2d({ poolSize: 2, strides: 1 }),
      layers.dense({ units: 3 }),
      layers.conv2d({ filters: 2, kernelSize: 2 }),
    ),
  'names that the graph uses itself': () =>
    chain(
      [3],
      layers.dense({ name: 'input', units: 4 }),
      layers.reLU({ name: 'output' }),
      layers.dense({ name: 'last', units: 2 }),
    ),
  'depthwise convolution, two outputs for each channel': () =>
    chain([6, 7, 3], layers.depthwiseConv2d({ kernelSize: [3, 2], depthMultiplier: 2, activation: 'tanh' })),
  'depthwise convolution, same with stride 2, no bias': () =>
    chain([7, 8, 2], layers.depthwiseConv2d({ kernelSize: 3, strides: 2, padding: 'same', useBias: false })),
  'separable convolution, dilated': () =>
    chain([9, 8, 2], layers.separableConv2d({ filters: 2, kernelSize: 3, dilationRate: 2 })),
  'separable convolution': () =>
    chain(
      [6, 7, 3],
      layers.separableConv2d({ filters: 4, kernelSize: [3, 2], depthMultiplier: 2, activation: 'sigmoid' }),
    ),
  'separable convolution, same, no bias, then flatten into dense': () =>
    chain(
      [7, 6, 2],
      layers.separableConv2d({ filters: 3, kernelSize: 3, padding: 'same', useBias: false }),
      layers.flatten(),
      layers.dense({ units: 3 }),
    ),
  'batch normalisation of an image': () =>
    chain(
      [4, 5, 3],
      layers.conv2d({ filters: 4, kernelSize: 2 }),
      layers.batchNormalization({ epsilon: 0.1 }),
    ),
  'batch normalisation of the input itself': () => chain([4, 5, 3], layers.batchNormalization()),
  'batch normalisation of features': () =>
    chain(
      [5],
      layers.dense({ units: 6 }),
      layers.batchNormalization({ axis: 1 }),
      layers.dense({ units: 2 }),
    ),
  'batch normalisation of a flattened image': () =>
    chain(
      [5, 4, 2],
      layers.conv2d({ filters: 3, kernelSize: 2 }),
      layers.flatten(),
      layers.batchNormalization(),
      layers.dense({ units: 3 }),
    ),
  'batch normalisation without scale': () => chain([4, 5, 3], layers.batchNormalization({ scale: false })),
  'batch normalisation without offset': () => chain([6], layers.batchNormalization({ center: false })),
  'batch normalisation without either': () =>
    chain([3, 3, 2], layers.batchNormalization({ center: false, scale: false })),
  'global average pooling': () =>
    chain([4, 5, 3], layers.globalAveragePooling2d({}), layers.dense({ units: 2 })),
  'global maximum pooling of a convolution': () =>
    chain([4, 5, 2], layers.conv2d({ filters: 3, kernelSize: 2 }), layers.globalMaxPooling2d({})),
  'leaky relu': () => chain([6], layers.leakyReLU()),
  'leaky relu of an image, with a slope': () =>
    chain([3, 4, 2], layers.conv2d({ filters: 2, kernelSize: 2 }), layers.leakyReLU({ alpha: 0.05 })),
  'elu layer': () => chain([6], layers.elu()),
  'a residual block': () => {
    const input = tfl.input({ shape: [6, 6, 2] });
    const same = { filters: 3, kernelSize: 3, padding: 'same' } as const;
    const first = asSymbolic(layers.conv2d(same).apply(input));
    const normal = asSymbolic(layers.batchNormalization().apply(first));
    const second = asSymbolic(layers.conv2d(same).apply(normal));
    const sum = asSymbolic(layers.add().apply([first, second, normal]));
    return tfl.model({ inputs: input, outputs: asSymbolic(layers.globalAveragePooling2d({}).apply(sum)) });
  },
  'an image added to itself convolved': () => {
    const input = tfl.input({ shape: [5, 4, 2] });
    const same = asSymbolic(layers.conv2d({ filters: 2, kernelSize: 3, padding: 'same' }).apply(input));
    return tfl.model({ inputs: input, outputs: asSymbolic(layers.add().apply([input, same])) });
  },
  'features added to a flattened image': () => {
    const input = tfl.input({ shape: [2, 3, 2] });
    const flat = asSymbolic(
      layers.flatten().apply(asSymbolic(layers.maxPooling2d({ poolSize: 1 }).apply(input))),
    );
    const features = asSymbolic(layers.dense({ units: 12 }).apply(flat));
    return tfl.model({ inputs: input, outputs: asSymbolic(layers.add().apply([flat, features])) });
  },
  'two flattened images added': () => {
    const input = tfl.input({ shape: [2, 3, 2] });
    const pooled = asSymbolic(layers.maxPooling2d({ poolSize: 1 }).apply(input));
    const wide = asSymbolic(layers.conv2d({ filters: 4, kernelSize: [2, 1] }).apply(input));
    const flats = [pooled, wide].map((image) => asSymbolic(layers.flatten().apply(image)));
    return tfl.model({ inputs: input, outputs: asSymbolic(layers.add().apply(flats)) });
  },
  'channels side by side': () => {
    const input = tfl.input({ shape: [5, 4, 2] });
    const same = asSymbolic(layers.conv2d({ filters: 3, kernelSize: 3, padding: 'same' }).apply(input));
    return tfl.model({ inputs: input, outputs: asSymbolic(layers.concatenate().apply([input, same])) });
  },
  'features side by side': () => {
    const input = tfl.input({ shape: [4] });
    const wide = asSymbolic(layers.dense({ units: 3 }).apply(input));
    const both = asSymbolic(layers.concatenate({ axis: 1 }).apply([input, wide]));
    return tfl.model({ inputs: input, outputs: asSymbolic(layers.dense({ units: 2 }).apply(both)) });
  },
  'dropout and nothing else': () => chain([3], layers.dropout({ rate: 0.5 })),
  'one layer used twice': () => {
    const shared = layers.dense({ units: 4, activation: 'tanh' });
    const input = tfl.input({ shape: [4] });
    return tfl.model({ inputs: input, outputs: asSymbolic(shared.apply(asSymbolic(shared.apply(input)))) });
  },
  ...Object.fromEntries(
    (['elu', 'linear', 'relu', 'selu', 'sigmoid', 'softmax', 'softplus', 'softsign', 'tanh'] as const).map(
      (activation) => [`activation ${activation}`, () => chain([6], layers.activation({ activation }))],
    ),
  ),
};

/**
 * Replaces all weights, biases included. Kernels have the variance 2 / fan-in that keeps activations near 1 through
 * many layers (He et al. 2015), because an absolute tolerance means nothing where they grow.
 */
export function randomizeWeights(model: tfl.LayersModel, seed: number): void {
  tf.tidy(() => {
    const values = model.weights.map((weight, i) => {
      const shape = knownShape(weight.shape);
      const fanIn = shape.slice(0, -1).reduce((product, dimension) => product * dimension, 1);
      const limit = shape.length === 1 ? 0.5 : Math.sqrt(6 / fanIn);
      // A variance is positive, and near enough to 1 to leave the size of activations alone.
      const [low, high] = weight.originalName.endsWith('moving_variance') ? [0.5, 2] : [-limit, limit];
      return tf.randomUniform(shape, low, high, 'float32', `${seed}/${i}`);
    });
    model.setWeights(values);
  });
}

/** A batch of inputs for `model`, drawn evenly from −1 to 1. The caller disposes it. */
export function randomInput(model: tfl.LayersModel, batchSize: number, seed: number): tf.Tensor {
  const shape = [batchSize, ...knownShape(model.inputs[0]!.shape.slice(1))];
  return tf.randomUniform(shape, -1, 1, 'float32', `${seed}/input`);
}

/** The current values of all weights by `originalName`: copies. */
export function readWeights(model: tfl.LayersModel): Map<string, Float32Array> {
  return new Map(
    model.weights.map((weight) => [weight.originalName, weight.read().dataSync<'float32'>().slice()]),
  );
}

function knownShape(shape: readonly (number | null)[]): number[] {
  return shape.map((dimension) => {
    if (dimension === null) throw new TypeError('the test models have known shapes');
    return dimension;
  });
}

/** `applied` as what it is: tfjs's types do not tell symbols from values. */
export function asSymbolic(applied: unknown): tfl.SymbolicTensor {
  if (!(applied instanceof tfl.SymbolicTensor))
    throw new TypeError('a layer applied to symbols gives a symbol');
  return applied;
}
