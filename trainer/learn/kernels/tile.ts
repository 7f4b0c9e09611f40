/**
 * A row repeated, as the gradient of BatchNorm spreads its statistics over a batch of images. It replaces tfjs's own
 * kernel, which works out the place of each element by itself and takes 50 times as long.
 */
import * as tf from '@tensorflow/tfjs-core';
import { heapOf, WASM, type WasmKernelFunc, wasmKernel } from './wasm-kernel.ts';

interface Inputs {
  readonly x: tf.TensorInfo;
}

/** Wraps `plain`, the backend's own kernel, which does what is not a row of floats repeated along other axes. */
export function tile(plain: tf.KernelConfig): tf.KernelConfig {
  const compute: WasmKernelFunc<Inputs, tf.TileAttrs> = (backend, { x }, attrs) => {
    const { reps } = attrs;
    const isRow = x.shape.slice(0, -1).every((dimension) => dimension === 1) && reps.at(-1) === 1;
    const rowLength = x.shape.at(-1);
    if (x.dtype !== 'float32' || rowLength === undefined || rowLength === 0 || !isRow) {
      // The op has one output.
      return plain.kernelFunc({ inputs: { x }, backend, attrs: { reps } }) as tf.TensorInfo;
    }
    const output = backend.makeOutput([...reps.slice(0, -1), rowLength], 'float32');
    const row = heapOf(backend, x);
    const target = heapOf(backend, output);
    if (target.length === 0) return output;
    target.set(row);
    // What is there is copied behind itself, twice as much each time.
    for (let filled = rowLength; filled < target.length; filled *= 2) target.copyWithin(filled, 0, filled);
    return output;
  };
  return { ...plain, ...wasmKernel(tf.Tile, compute), backendName: WASM };
}
