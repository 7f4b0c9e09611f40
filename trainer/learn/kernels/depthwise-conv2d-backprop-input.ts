/**
 * Gradient of a depthwise 2-D convolution with respect to its input, which tfjs's wasm backend does not have.
 *
 *   dX[n, y·s + i − top, x·s + j − left, c] += W[i,j,c,m] · dY[n, y, x, c·multiplier + m]
 *
 * One multiplication per term and no sum over channels: a plain loop over the heap.
 */

import { assert } from '@freshet/protocol/assert';
import * as tf from '@tensorflow/tfjs-core';
import { heapOf, shape4, type WasmKernelFunc, wasmKernel } from './wasm-kernel.ts';

interface Inputs {
  /** [batch, outHeight, outWidth, channels × multiplier] */
  readonly dy: tf.TensorInfo;
  /** [filterHeight, filterWidth, channels, multiplier] */
  readonly filter: tf.TensorInfo;
}

const compute: WasmKernelFunc<Inputs, tf.DepthwiseConv2dNativeBackpropInputAttrs> = (
  backend,
  { dy, filter },
  attrs,
) => {
  const filterShape = shape4(filter);
  const info = tf.backend_util.computeConv2DInfo(
    attrs.inputShape,
    filterShape,
    attrs.strides,
    attrs.dilations,
    attrs.pad,
    attrs.dimRoundingMode,
    true,
  );
  const { inHeight, inWidth, inChannels, outHeight, outWidth, outChannels } = info;
  const multiplier = filterShape[3];
  assert(outChannels === inChannels * multiplier, 'a depthwise filter has `multiplier` outputs per channel');
  const dInput = backend.makeOutput(attrs.inputShape, 'float32');
  const dOutput = heapOf(backend, dy);
  const weights = heapOf(backend, filter);
  const target = heapOf(backend, dInput).fill(0);
  for (let sample = 0; sample < info.batchSize; sample++) {
    for (let outY = 0; outY < outHeight; outY++) {
      for (let outX = 0; outX < outWidth; outX++) {
        const from = ((sample * outHeight + outY) * outWidth + outX) * outChannels;
        for (let i = 0; i < info.filterHeight; i++) {
          const y = outY * info.strideHeight - info.padInfo.top + i * info.dilationHeight;
          if (y < 0 || y >= inHeight) continue;
          for (let j = 0; j < info.filterWidth; j++) {
            const x = outX * info.strideWidth - info.padInfo.left + j * info.dilationWidth;
            if (x < 0 || x >= inWidth) continue;
            const pixel = ((sample * inHeight + y) * inWidth + x) * inChannels;
            const tap = (i * info.filterWidth + j) * outChannels;
            for (let output = 0, channel = 0; channel < inChannels; channel++) {
              let sum = target[pixel + channel]!;
              for (let m = 0; m < multiplier; m++, output++) {
                sum += weights[tap + output]! * dOutput[from + output]!;
              }
              target[pixel + channel] = sum;
            }
          }
        }
      }
    }
  }
  return dInput;
};

export const depthwiseConv2dBackpropInput = wasmKernel(tf.DepthwiseConv2dNativeBackpropInput, compute);
