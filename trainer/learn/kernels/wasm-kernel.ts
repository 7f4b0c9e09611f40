/**
 * The seam to tfjs's kernel registry for kernels that we write for the wasm backend. The registry is untyped: a kernel
 * is found by name, and its name alone fixes its inputs and attributes. The casts that this needs are here and nowhere
 * else. Kernels see raw `TensorInfo`, not `Tensor`: what they allocate is not tracked by `tf.tidy`, so each of them
 * frees its temporaries itself.
 */

import { assert } from '@freshet/protocol/assert';
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';

export const WASM = 'wasm';

/**
 * Computes one kernel. Returns a new tensor; inputs stay untouched and owned by the caller.
 * @typeParam Inputs the tensors that the op of this kernel name passes
 * @typeParam Attrs the attributes that it passes (`XxxAttrs` of tfjs-core)
 */
export type WasmKernelFunc<Inputs, Attrs> = (
  backend: BackendWasm,
  inputs: Inputs,
  attrs: Attrs,
) => tf.TensorInfo;

/** Wraps `compute` for the registry under `kernelName`. */
export function wasmKernel<Inputs, Attrs>(
  kernelName: string,
  compute: WasmKernelFunc<Inputs, Attrs>,
): tf.KernelConfig {
  return {
    kernelName,
    backendName: WASM,
    // The op in tfjs-core that asks for `kernelName` on this backend builds exactly these inputs and attributes.
    kernelFunc: ({ inputs, backend, attrs }) =>
      compute(backend as BackendWasm, inputs as Inputs, attrs as Attrs),
  };
}

/** Registers `kernel` in place of the one of the same name, if there is one. */
export function registerOrReplace(kernel: tf.KernelConfig): void {
  if (tf.getKernel(kernel.kernelName, WASM) !== undefined) tf.unregisterKernel(kernel.kernelName, WASM);
  tf.registerKernel(kernel);
}

/** Runs another kernel of the wasm backend. The caller owns the result and frees it with `disposeData`. */
export function runWasmKernel(
  backend: BackendWasm,
  kernelName: string,
  inputs: Record<string, tf.TensorInfo>,
  attrs: object,
): tf.TensorInfo {
  const kernel = tf.getKernel(kernelName, WASM);
  assert(kernel !== undefined, `the wasm backend has a kernel ${kernelName}`);
  // An attribute interface has no index signature; its fields are the attributes that the registry carries.
  const output = kernel.kernelFunc({ inputs, backend, attrs: attrs as tf.NamedAttrMap });
  assert(!Array.isArray(output), `kernel ${kernelName} has one output`);
  return output;
}

/**
 * The float32 elements of a tensor: a view on the wasm heap. Take it after the last allocation of a kernel: memory
 * that grows detaches every earlier view.
 */
export function heapOf(backend: BackendWasm, tensor: tf.TensorInfo): Float32Array {
  const view = backend.typedArrayFromHeap(tensor);
  assert(view instanceof Float32Array, 'a tensor in training is float32');
  return view;
}

/** Swaps two axes (or permutes more) into a new tensor. */
export function transpose(backend: BackendWasm, x: tf.TensorInfo, perm: readonly number[]): tf.TensorInfo {
  return runWasmKernel(backend, tf.Transpose, { x }, { perm: [...perm] });
}

/** The shape of a batch of images, NHWC. */
export function shape4(tensor: tf.TensorInfo): [number, number, number, number] {
  const [batch, height, width, channels, ...rest] = tensor.shape;
  assert(channels !== undefined && rest.length === 0, 'an image batch has rank 4');
  return [batch!, height!, width!, channels];
}
