/**
 * Gradient of 2-D average pooling. Each window shares its dY equally between the inputs it covers; padding is not
 * counted, as in the forward pass. It replaces tfjs's own kernel, which divides by the size of the full window and so
 * is wrong wherever there is padding.
 */
import * as tf from '@tensorflow/tfjs-core';
import { heapOf, shape4, type WasmKernelFunc, wasmKernel } from './wasm-kernel.ts';

interface Inputs {
  /** [batch, outHeight, outWidth, channels] */
  readonly dy: tf.TensorInfo;
  /** [batch, inHeight, inWidth, channels] */
  readonly input: tf.TensorInfo;
}

const compute: WasmKernelFunc<Inputs, tf.AvgPoolGradAttrs> = (backend, { dy, input }, attrs) => {
  const info = tf.backend_util.computePool2DInfo(
    shape4(input),
    attrs.filterSize,
    attrs.strides,
    1,
    attrs.pad,
  );
  const { inHeight, inWidth, outHeight, outWidth, inChannels: channels } = info;
  const dInput = backend.makeOutput(input.shape, 'float32');
  const dOutput = heapOf(backend, dy);
  const target = heapOf(backend, dInput).fill(0);
  for (let sample = 0; sample < info.batchSize; sample++) {
    for (let outY = 0; outY < outHeight; outY++) {
      const top = outY * info.strideHeight - info.padInfo.top;
      const yBegin = Math.max(top, 0);
      const yEnd = Math.min(top + info.filterHeight, inHeight);
      for (let outX = 0; outX < outWidth; outX++) {
        const left = outX * info.strideWidth - info.padInfo.left;
        const xBegin = Math.max(left, 0);
        const xEnd = Math.min(left + info.filterWidth, inWidth);
        const from = ((sample * outHeight + outY) * outWidth + outX) * channels;
        const share = 1 / ((yEnd - yBegin) * (xEnd - xBegin));
        for (let y = yBegin; y < yEnd; y++) {
          for (let x = xBegin; x < xEnd; x++) {
            const to = ((sample * inHeight + y) * inWidth + x) * channels;
            for (let channel = 0; channel < channels; channel++) {
              target[to + channel] = target[to + channel]! + dOutput[from + channel]! * share;
            }
          }
        }
      }
    }
  }
  return dInput;
};

export const avgPoolGrad = wasmKernel(tf.AvgPoolGrad, compute);
