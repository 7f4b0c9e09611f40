/** Ops that training is made of, with small inputs: what finite differences are taken of. */
import type { BackendName } from '@freshet/trainer/learn/backends/backend';
import * as tf from '@tensorflow/tfjs-core';
import { elementsOf } from './numerics.ts';

export interface DifferentiableOp {
  readonly name: string;
  /** Of its inputs. */
  readonly shapes: readonly (readonly number[])[];
  /**
   * How far to move along a direction with entries in [−1, 1). Ops that are linear in each input allow a large one,
   * which keeps the rounding of the differences small.
   */
  readonly h: number;
  /** Share of the gradient's norm; by default one for linear ops. */
  readonly tolerance?: number;
  /** Where tfjs has no such gradient, or a wrong one; the trainer refuses such layers there (check-trainable.ts). */
  readonly notOn?: readonly BackendName[];
  /** Values of input `i`; random in [−1, 1) by default. */
  values?(i: number): Float32Array;
  apply(inputs: readonly tf.Tensor[]): tf.Tensor;
}

const LINEAR = 0.5;
const IMAGES = [2, 7, 6, 3] as const;

function convolution(
  name: string,
  filter: readonly number[],
  strides: number,
  pad: 'same' | 'valid',
): DifferentiableOp {
  const apply = ([x, w]: readonly tf.Tensor[]) => tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, strides, pad);
  return { name, shapes: [IMAGES, filter], h: LINEAR, apply };
}

function depthwise(
  name: string,
  filter: readonly number[],
  strides: number,
  pad: 'same' | 'valid',
): DifferentiableOp {
  const apply = ([x, w]: readonly tf.Tensor[]) =>
    tf.depthwiseConv2d(x as tf.Tensor4D, w as tf.Tensor4D, strides, pad);
  return { name, shapes: [IMAGES, filter], h: LINEAR, apply };
}

/** All different, by more than differences move them: which one is the largest does not change. */
function distinctValues(shape: readonly number[]): Float32Array {
  const count = elementsOf(shape);
  // 7919 is prime: every value comes once.
  return Float32Array.from({ length: count }, (_, i) => ((i * 7919) % count) / 16);
}

function maxPooling(name: string, pad: 'same' | 'valid', strides: number): DifferentiableOp {
  return {
    name,
    shapes: [IMAGES],
    h: 1 / 64,
    values: () => distinctValues(IMAGES),
    apply: ([x]) => tf.maxPool(x as tf.Tensor4D, 3, strides, pad),
  };
}

function matMul(name: string, transposeA: boolean, transposeB: boolean): DifferentiableOp {
  return {
    name,
    shapes: [transposeA ? [7, 5] : [5, 7], transposeB ? [4, 7] : [7, 4]],
    h: LINEAR,
    apply: ([a, b]) => tf.matMul(a!, b!, transposeA, transposeB),
  };
}

/** Differences of a curved function: a step short enough, and what float32 leaves of it. */
const CURVED = { h: 1 / 64, tolerance: 2e-3 } as const;

export const DIFFERENTIABLE: readonly DifferentiableOp[] = [
  convolution('a convolution, same', [3, 3, 3, 4], 1, 'same'),
  convolution('a convolution, valid', [5, 5, 3, 4], 1, 'valid'),
  convolution('a convolution with stride 2, same', [3, 3, 3, 4], 2, 'same'),
  convolution('a convolution with stride 2, valid', [2, 3, 3, 4], 2, 'valid'),
  convolution('a 1×1 convolution', [1, 1, 3, 5], 1, 'same'),
  convolution('a 1×1 convolution with stride 2', [1, 1, 3, 5], 2, 'same'),
  depthwise('a depthwise convolution', [3, 3, 3, 1], 1, 'same'),
  depthwise('a depthwise convolution with stride 2 and multiplier', [3, 2, 3, 2], 2, 'valid'),
  matMul('a matrix product', false, false),
  matMul('a matrix product, left one transposed', true, false),
  matMul('a matrix product, right one transposed', false, true),
  maxPooling('max pooling', 'valid', 2),
  maxPooling('overlapping max pooling, same', 'same', 2),
  {
    name: 'average pooling',
    shapes: [IMAGES],
    h: LINEAR,
    apply: ([x]) => tf.avgPool(x as tf.Tensor4D, 2, 2, 'valid'),
  },
  {
    name: 'average pooling, same',
    shapes: [IMAGES],
    h: LINEAR,
    notOn: ['cpu', 'webgpu'],
    apply: ([x]) => tf.avgPool(x as tf.Tensor4D, 3, 2, 'same'),
  },
  {
    name: '3-D average pooling, same',
    shapes: [[1, 3, 4, 3, 2]],
    h: LINEAR,
    notOn: ['cpu', 'webgpu', 'wasm'],
    apply: ([x]) => tf.avgPool3d(x as tf.Tensor5D, 3, 2, 'same'),
  },
  {
    name: 'a 3-D convolution with stride 2',
    shapes: [
      [1, 4, 5, 4, 2],
      [2, 2, 2, 2, 3],
    ],
    h: LINEAR,
    notOn: ['wasm'],
    apply: ([x, w]) => tf.conv3d(x as tf.Tensor5D, w as tf.Tensor5D, 2, 'same'),
  },
  {
    name: 'batch normalisation',
    shapes: [IMAGES, [3], [3]],
    ...CURVED,
    apply: ([x, offset, scale]) => {
      const { mean, variance } = tf.moments(x!, [0, 1, 2]);
      return tf.batchNorm(
        x!,
        mean as tf.Tensor1D,
        variance as tf.Tensor1D,
        offset as tf.Tensor1D,
        scale as tf.Tensor1D,
        1e-3,
      );
    },
  },
  {
    name: 'softmax cross-entropy',
    shapes: [[6, 5]],
    ...CURVED,
    apply: ([logits]) => {
      const labels = tf.oneHot(tf.tensor1d([0, 4, 2, 2, 1, 3], 'int32'), 5);
      return tf.losses.softmaxCrossEntropy(labels, logits!, undefined, undefined, tf.Reduction.NONE);
    },
  },
  { name: 'tanh', shapes: [[4, 5]], ...CURVED, apply: ([x]) => tf.tanh(x!) },
  { name: 'sigmoid', shapes: [[4, 5]], ...CURVED, apply: ([x]) => tf.sigmoid(x!) },
  {
    name: 'gathering rows',
    shapes: [[6, 4]],
    h: LINEAR,
    notOn: ['wasm'],
    apply: ([x]) => tf.gather(x!, tf.tensor1d([1, 5, 1, 0], 'int32')),
  },
];
