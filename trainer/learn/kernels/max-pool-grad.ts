/**
 * Gradient of 2-D max pooling. Each window gives its dY to its largest input, the first in row order where several
 * are equal (as TensorFlow does). It replaces tfjs's own kernel, which searches the windows anew for every input and
 * takes 3 times as long.
 */
import * as tf from '@tensorflow/tfjs-core';
import { heapOf, shape4, type WasmKernelFunc, wasmKernel } from './wasm-kernel.ts';

interface Inputs {
  /** [batch, outHeight, outWidth, channels] */
  readonly dy: tf.TensorInfo;
  /** [batch, inHeight, inWidth, channels] */
  readonly input: tf.TensorInfo;
}

const compute: WasmKernelFunc<Inputs, tf.MaxPoolGradAttrs> = (backend, { dy, input }, attrs) => {
  const info = tf.backend_util.computePool2DInfo(
    shape4(input),
    attrs.filterSize,
    attrs.strides,
    1,
    attrs.pad,
    attrs.dimRoundingMode,
  );
  const { inHeight, inWidth, outHeight, outWidth, inChannels: channels } = info;
  const dInput = backend.makeOutput(input.shape, 'float32');
  const values = heapOf(backend, input);
  const dOutput = heapOf(backend, dy);
  const target = heapOf(backend, dInput).fill(0);
  for (let sample = 0; sample < info.batchSize; sample++) {
    for (let outY = 0; outY < outHeight; outY++) {
      const top = outY * info.strideHeight - info.padInfo.top;
      const yEnd = Math.min(top + info.filterHeight, inHeight);
      for (let outX = 0; outX < outWidth; outX++) {
        const left = outX * info.strideWidth - info.padInfo.left;
        const xEnd = Math.min(left + info.filterWidth, inWidth);
        const from = ((sample * outHeight + outY) * outWidth + outX) * channels;
        for (let channel = 0; channel < channels; channel++) {
          let largest = Number.NEGATIVE_INFINITY;
          let largestAt = -1;
          for (let y = Math.max(top, 0); y < yEnd; y++) {
            let at = ((sample * inHeight + y) * inWidth + Math.max(left, 0)) * channels + channel;
            for (let x = Math.max(left, 0); x < xEnd; x++, at += channels) {
              const value = values[at]!;
              if (value > largest) {
                largest = value;
                largestAt = at;
              }
            }
          }
          // A window of nothing but padding, or of NaN, has no largest input.
          if (largestAt >= 0) target[largestAt] = target[largestAt]! + dOutput[from + channel]!;
        }
      }
    }
  }
  return dInput;
};

export const maxPoolGrad = wasmKernel(tf.MaxPoolGrad, compute);
