/**
 * Gradient of a 2-D convolution with respect to its filter, which tfjs's wasm backend does not have.
 *
 *   dW[i,j,c,o] = Σ_{n,y,x} X[n, y·s + i − top, x·s + j − left, c] · dY[n,y,x,o]
 *
 * This is itself a convolution: take the channels of X as its batch and the batch of X as its channels, slide dY over
 * it as the filter, with the stride s as dilation. So the work is done by the backend's tuned convolution (XNNPACK).
 * The alternative at hand, tfjs's `Conv3DBackpropFilterV2` at depth 1, is 7 times slower on LeNet-5, up to 30 times on
 * wider layers, and wrong at strides over 1.
 */

import { assert } from '@freshet/protocol/assert';
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import { heapOf, runWasmKernel, shape4, transpose, type WasmKernelFunc, wasmKernel } from './wasm-kernel.ts';

interface Inputs {
  /** [batch, inHeight, inWidth, inChannels] */
  readonly x: tf.TensorInfo;
  /** [batch, outHeight, outWidth, outChannels] */
  readonly dy: tf.TensorInfo;
}

const compute: WasmKernelFunc<Inputs, tf.Conv2DBackpropFilterAttrs> = (backend, { x, dy }, attrs) => {
  assert(attrs.dataFormat === 'NHWC', 'the wasm convolution is NHWC only');
  const info = tf.backend_util.computeConv2DInfo(
    shape4(x),
    attrs.filterShape,
    attrs.strides,
    1,
    attrs.pad,
    attrs.dimRoundingMode,
  );
  const image = channelsAsBatch(backend, x, info);
  const filter = transpose(backend, dy, [1, 2, 0, 3]);
  const perChannel = runWasmKernel(
    backend,
    tf.Conv2D,
    { x: image, filter },
    {
      strides: [1, 1],
      dilations: [info.strideHeight, info.strideWidth],
      pad: 'valid',
      dataFormat: 'NHWC',
    },
  );
  const dFilter = transpose(backend, perChannel, [1, 2, 0, 3]);
  for (const temporary of [image, filter, perChannel]) backend.disposeData(temporary.dataId);
  return dFilter;
};

/**
 * X as [inChannels, rows, columns, batch], padded with zeros, and cut to the rows and columns that some position of
 * the filter reaches (with strides, the last ones may not be), so that a `valid` convolution gives exactly dW.
 */
function channelsAsBatch(
  backend: BackendWasm,
  x: tf.TensorInfo,
  info: tf.backend_util.Conv2DInfo,
): tf.TensorInfo {
  const { batchSize, inHeight, inWidth, inChannels } = info;
  const rows = info.filterHeight + (info.outHeight - 1) * info.strideHeight;
  const columns = info.filterWidth + (info.outWidth - 1) * info.strideWidth;
  const image = backend.makeOutput([inChannels, rows, columns, batchSize], 'float32');
  const source = heapOf(backend, x);
  const target = heapOf(backend, image);
  const sampleElements = inHeight * inWidth * inChannels;
  for (let row = 0; row < rows; row++) {
    const y = row - info.padInfo.top;
    for (let column = 0; column < columns; column++) {
      const xx = column - info.padInfo.left;
      const inside = y >= 0 && y < inHeight && xx >= 0 && xx < inWidth;
      for (let channel = 0; channel < inChannels; channel++) {
        const to = ((channel * rows + row) * columns + column) * batchSize;
        if (!inside) {
          target.fill(0, to, to + batchSize);
          continue;
        }
        let from = (y * inWidth + xx) * inChannels + channel;
        for (let sample = 0; sample < batchSize; sample++, from += sampleElements) {
          target[to + sample] = source[from]!;
        }
      }
    }
  }
  return image;
}

export const conv2dBackpropFilter = wasmKernel(tf.Conv2DBackpropFilter, compute);
