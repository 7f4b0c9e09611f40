/**
 * Gradient of a depthwise 2-D convolution with respect to its filter, which tfjs's wasm backend does not have.
 *
 *   dW[i,j,c,m] = Σ_{n,y,x} X[n, y·s + i − top, x·s + j − left, c] · dY[n, y, x, c·multiplier + m]
 *
 * One multiplication per term and no sum over channels: a plain loop over the heap.
 */

import { assert } from '@freshet/protocol/assert';
import * as tf from '@tensorflow/tfjs-core';
import { heapOf, shape4, type WasmKernelFunc, wasmKernel } from './wasm-kernel.ts';

interface Inputs {
  /** [batch, inHeight, inWidth, channels] */
  readonly x: tf.TensorInfo;
  /** [batch, outHeight, outWidth, channels × multiplier] */
  readonly dy: tf.TensorInfo;
}

const compute: WasmKernelFunc<Inputs, tf.DepthwiseConv2dNativeBackpropFilterAttrs> = (
  backend,
  { x, dy },
  attrs,
) => {
  const info = tf.backend_util.computeConv2DInfo(
    shape4(x),
    attrs.filterShape,
    attrs.strides,
    attrs.dilations,
    attrs.pad,
    attrs.dimRoundingMode,
    true,
  );
  const { inHeight, inWidth, inChannels, outHeight, outWidth, outChannels } = info;
  const multiplier = attrs.filterShape[3];
  assert(outChannels === inChannels * multiplier, 'a depthwise filter has `multiplier` outputs per channel');
  const dFilter = backend.makeOutput(attrs.filterShape, 'float32');
  const input = heapOf(backend, x);
  const dOutput = heapOf(backend, dy);
  const target = heapOf(backend, dFilter);
  // Doubles: one entry sums batch × height × width terms.
  const sums = new Float64Array(target.length);
  for (let sample = 0; sample < info.batchSize; sample++) {
    for (let outY = 0; outY < outHeight; outY++) {
      for (let outX = 0; outX < outWidth; outX++) {
        const from = ((sample * outHeight + outY) * outWidth + outX) * outChannels;
        for (let i = 0; i < info.filterHeight; i++) {
          const y = outY * info.strideHeight - info.padInfo.top + i * info.dilationHeight;
          if (y < 0 || y >= inHeight) continue;
          for (let j = 0; j < info.filterWidth; j++) {
            const xx = outX * info.strideWidth - info.padInfo.left + j * info.dilationWidth;
            if (xx < 0 || xx >= inWidth) continue;
            const pixel = ((sample * inHeight + y) * inWidth + xx) * inChannels;
            const tap = (i * info.filterWidth + j) * outChannels;
            for (let output = 0, channel = 0; channel < inChannels; channel++) {
              const value = input[pixel + channel]!;
              for (let m = 0; m < multiplier; m++, output++) {
                sums[tap + output] = sums[tap + output]! + value * dOutput[from + output]!;
              }
            }
          }
        }
      }
    }
  }
  target.set(sums);
  return dFilter;
};

export const depthwiseConv2dBackpropFilter = wasmKernel(tf.DepthwiseConv2dNativeBackpropFilter, compute);
