/**
 * ResNet-18 (He et al. 2016) for ten classes of small images, as a model that trains: the weights of
 * resnet18-tensors.ts, with BatchNorm's statistics, on random samples. Where a convolution has stride 2, tfjs pads below
 * and to the right only; that costs the same. Needs a tfjs backend in use.
 */
import { assert } from '@freshet/protocol/assert';
import { createRandom, type Random } from '@freshet/trainer/core/random';
import { defineRecipe, type Recipe } from '@freshet/trainer/learn/recipe';
import type { ClassSample, SampleSet } from '@freshet/trainer/learn/sample-source';
import { pixelsToFloats } from '@freshet/trainer/learn/sources/mnist';
import {
  initializers,
  input,
  type LayersModel,
  layers,
  model,
  SymbolicTensor,
} from '@tensorflow/tfjs-layers';

const INPUT_SHAPE = [32, 32, 3];
const CLASS_COUNT = 10;
const STEM_CHANNELS = 64;
const STAGES = [64, 128, 256, 512] as const;
const BLOCKS_PER_STAGE = 2;
const SAMPLE_COUNT = 512;

export const resnet18Recipe: Recipe = defineRecipe({
  name: 'resnet18',
  input: { shape: INPUT_SHAPE, dtype: 'uint8' },
  target: { kind: 'class', classCount: CLASS_COUNT },
  loss: 'softmax-cross-entropy',
  preprocess: pixelsToFloats,
  buildModel: ({ seed }) => new Builder(createRandom(seed)).build(),
  openSource: () => ({ train: randomSamples(1), test: randomSamples(2) }),
});

/** Adds layer upon layer; names are those of resnet18-tensors.ts. */
class Builder {
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  build(): LayersModel {
    const image = input({ shape: INPUT_SHAPE });
    let features = this.#normalised('', image, { to: STEM_CHANNELS, side: 3, strides: 1, number: '1' });
    features = relu('relu', features);
    let channels: number = STEM_CHANNELS;
    for (const [stage, to] of STAGES.entries()) {
      for (let block = 0; block < BLOCKS_PER_STAGE; block++) {
        const strides = block === 0 && stage > 0 ? 2 : 1;
        features = this.#basicBlock(`layer${stage + 1}.${block}.`, features, { from: channels, to, strides });
        channels = to;
      }
    }
    const pooled = apply(layers.globalAveragePooling2d({ name: 'avgpool' }), features);
    const classifier = layers.dense({
      name: 'fc',
      units: CLASS_COUNT,
      kernelInitializer: this.#initializer(),
    });
    return model({ inputs: image, outputs: apply(classifier, pooled) });
  }

  #basicBlock(
    name: string,
    x: SymbolicTensor,
    { from, to, strides }: { readonly from: number; readonly to: number; readonly strides: number },
  ): SymbolicTensor {
    const first = relu(`${name}relu1`, this.#normalised(name, x, { to, side: 3, strides, number: '1' }));
    const second = this.#normalised(name, first, { to, side: 3, strides: 1, number: '2' });
    const isSame = from === to && strides === 1;
    const shortcut = isSame
      ? x
      : this.#normalised(`${name}downsample.`, x, { to, side: 1, strides, number: '' });
    return relu(`${name}relu2`, apply(layers.add({ name: `${name}add` }), [second, shortcut]));
  }

  /** A convolution without bias, and BatchNorm. */
  #normalised(name: string, x: SymbolicTensor, { to, side, strides, number }: Convolution): SymbolicTensor {
    const convolution = layers.conv2d({
      name: `${name}conv${number}`,
      filters: to,
      kernelSize: side,
      strides,
      padding: 'same',
      useBias: false,
      kernelInitializer: this.#initializer(),
    });
    return apply(layers.batchNormalization({ name: `${name}bn${number}` }), apply(convolution, x));
  }

  /** He et al. 2015, by fan-out. tfjs takes a seed of 0 for none. */
  #initializer() {
    const seed = 1 + this.#random.integerBelow(2 ** 31 - 1);
    return initializers.varianceScaling({ scale: 2, mode: 'fanOut', distribution: 'normal', seed });
  }
}

interface Convolution {
  /** Channels. */
  readonly to: number;
  readonly side: number;
  readonly strides: number;
  /** Behind the names of the layers. */
  readonly number: string;
}

function relu(name: string, x: SymbolicTensor): SymbolicTensor {
  return apply(layers.activation({ name, activation: 'relu' }), x);
}

/** A layer applied to symbols gives a symbol; tfjs's types allow for tensors too. */
function apply(
  layer: { apply(inputs: SymbolicTensor | SymbolicTensor[]): unknown },
  inputs: SymbolicTensor | SymbolicTensor[],
): SymbolicTensor {
  const applied = layer.apply(inputs);
  assert(applied instanceof SymbolicTensor, 'a layer applied to symbols gives a symbol');
  return applied;
}

function randomSamples(seed: number): SampleSet<ClassSample> {
  const elements = INPUT_SHAPE.reduce((product, dimension) => product * dimension, 1);
  return {
    count: SAMPLE_COUNT,
    sample(index) {
      const random = createRandom(seed * SAMPLE_COUNT + index);
      return {
        input: Uint8Array.from({ length: elements }, () => random.integerBelow(256)),
        label: index % CLASS_COUNT,
      };
    },
  };
}
