/**
 * Completes tfjs's wasm backend for training: adds the gradient kernels that it lacks, corrects one that is wrong and
 * replaces those that cost most of a training step. Each kernel's file says which it is.
 */

import { assert } from '@freshet/protocol/assert';
import * as tf from '@tensorflow/tfjs-core';
import { avgPoolGrad } from './avg-pool-grad.ts';
import { batchMatMul } from './batch-mat-mul.ts';
import { conv2dBackpropFilter } from './conv2d-backprop-filter.ts';
import { conv2dBackpropInput } from './conv2d-backprop-input.ts';
import { depthwiseConv2dBackpropFilter } from './depthwise-conv2d-backprop-filter.ts';
import { depthwiseConv2dBackpropInput } from './depthwise-conv2d-backprop-input.ts';
import { maxPoolGrad } from './max-pool-grad.ts';
import { tile } from './tile.ts';
import { registerOrReplace, WASM } from './wasm-kernel.ts';

/** Call once, after `@tensorflow/tfjs-backend-wasm` is loaded and before the backend is started. */
export function registerWasmKernels(): void {
  const plainMatMul = tf.getKernel(tf.BatchMatMul, WASM);
  const plainTile = tf.getKernel(tf.Tile, WASM);
  assert(plainMatMul !== undefined && plainTile !== undefined, 'the wasm backend has registered its kernels');
  for (const kernel of [
    avgPoolGrad,
    batchMatMul(plainMatMul),
    conv2dBackpropFilter,
    conv2dBackpropInput,
    depthwiseConv2dBackpropFilter,
    depthwiseConv2dBackpropInput,
    maxPoolGrad,
    tile(plainTile),
  ]) {
    registerOrReplace(kernel);
  }
}
