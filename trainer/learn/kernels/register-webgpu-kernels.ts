/** Completes tfjs's WebGPU backend for training. */

import { assert } from '@freshet/protocol/assert';
import * as tf from '@tensorflow/tfjs-core';
import { webgpuAddN } from './webgpu-add-n.ts';

/** Call once, after `@tensorflow/tfjs-backend-webgpu` is loaded. */
export function registerWebgpuKernels(): void {
  const plain = tf.getKernel(tf.AddN, 'webgpu');
  assert(plain !== undefined, 'the WebGPU backend has registered its kernels');
  tf.unregisterKernel(tf.AddN, 'webgpu');
  tf.registerKernel(webgpuAddN(plain));
}
