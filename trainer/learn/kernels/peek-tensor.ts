/** The values of a tensor with as little copying as its backend allows. */
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import { heapOf, WASM } from './wasm-kernel.ts';

/**
 * The float32 values of `tensor`, which may be the backend's own memory: only read them, and before the next operation
 * of tfjs, which may move or overwrite them.
 */
export async function peekTensor(tensor: tf.Tensor): Promise<Float32Array> {
  // The backend's own way copies from the heap into new memory, which costs more than all that is done with it then.
  if (tf.getBackend() === WASM) return heapOf(tf.backend() as BackendWasm, tensor);
  return tensor.data<'float32'>();
}
