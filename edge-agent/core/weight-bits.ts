/**
 * Reads single weights of an ONNX file where they lie: the mirror of `patchWeights`, for keeping what a patch is about
 * to overwrite without a second copy of all weights.
 */
import { assert } from '@freshet/protocol/assert';
import type { TensorLayout } from '@freshet/protocol/onnx-layout';

const BYTES_PER_ELEMENT = Float32Array.BYTES_PER_ELEMENT;

/**
 * The bits of the weights at `indices` (canonical, strictly ascending): a new array.
 * `layout` is that of `file`.
 */
export function readWeightBits(
  file: Uint8Array,
  layout: readonly TensorLayout[],
  indices: Uint32Array,
): Uint32Array {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const bits = new Uint32Array(indices.length);
  let i = 0;
  for (const { fileOffset, elementOffset, elementCount } of layout) {
    const elementEnd = elementOffset + elementCount;
    for (; i < indices.length && indices[i]! < elementEnd; i++) {
      bits[i] = view.getUint32(fileOffset + (indices[i]! - elementOffset) * BYTES_PER_ELEMENT, true);
    }
  }
  assert(i === indices.length, 'every index lies in the model');
  return bits;
}
