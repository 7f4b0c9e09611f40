/**
 * Moves weights between tfjs tensors and the flat canonical weights. The trainer owns every permutation: from here
 * on, an index is a position in the ONNX file's initializers, and nobody else needs to know tfjs's layout.
 *
 * Values are moved as 32-bit integers, so that a NaN keeps its payload and the bytes on both sides are the same.
 */
import { assert } from '@freshet/protocol/assert';
import { bitsOf } from '@freshet/protocol/delta';

/** Ties one tfjs weight to one ONNX initializer. A model's bindings are in canonical order. */
export interface WeightBinding {
  readonly initializerName: string;
  /** `LayerVariable.originalName`: unique in the model and, unlike `name`, the same in every process. */
  readonly tfjsWeightName: string;
  /** Shape of the ONNX initializer; the tfjs tensor has as many elements, maybe in another order. */
  readonly shape: readonly number[];
  /** Canonical element i of the tensor is tfjs element `toCanonical[i]`. Null: the same order. */
  readonly toCanonical: Uint32Array | null;
}

/** Number of elements of the tensor that `binding` ties. */
export function bindingElementCount(binding: WeightBinding): number {
  return binding.shape.reduce((product, dimension) => product * dimension, 1);
}

/**
 * Fills `target` with the whole model's weights in canonical order. `read` returns the values of one tfjs weight in
 * tfjs's order; they are read at once and not kept.
 */
export function gatherCanonical(
  bindings: readonly WeightBinding[],
  read: (tfjsWeightName: string) => Float32Array,
  target: Float32Array,
): void {
  const targetBits = bitsOf(target);
  let offset = 0;
  for (const binding of bindings) {
    const elementCount = bindingElementCount(binding);
    const sourceBits = bitsOf(read(binding.tfjsWeightName));
    assert(sourceBits.length === elementCount, `${binding.tfjsWeightName} has ${elementCount} elements`);
    assert(offset + elementCount <= targetBits.length, 'the target has room for all weights');
    const positions = binding.toCanonical;
    if (positions === null) {
      targetBits.set(sourceBits, offset);
    } else {
      for (let i = 0; i < elementCount; i++) targetBits[offset + i] = sourceBits[positions[i]!]!;
    }
    offset += elementCount;
  }
  assert(offset === targetBits.length, 'the target holds the weights of the model and nothing else');
}

/**
 * The inverse of `gatherCanonical`: spreads the canonical `source` over the tfjs weights. `targetOf` returns the
 * array to fill for one tfjs weight; each is filled completely, in tfjs's order, before the next is asked for.
 */
export function scatterCanonical(
  bindings: readonly WeightBinding[],
  source: Float32Array,
  targetOf: (tfjsWeightName: string) => Float32Array,
): void {
  const sourceBits = bitsOf(source);
  let offset = 0;
  for (const binding of bindings) {
    const elementCount = bindingElementCount(binding);
    const targetBits = bitsOf(targetOf(binding.tfjsWeightName));
    assert(targetBits.length === elementCount, `${binding.tfjsWeightName} has ${elementCount} elements`);
    assert(offset + elementCount <= sourceBits.length, 'the source holds all weights');
    const positions = binding.toCanonical;
    if (positions === null) {
      targetBits.set(sourceBits.subarray(offset, offset + elementCount));
    } else {
      for (let i = 0; i < elementCount; i++) targetBits[positions[i]!] = sourceBits[offset + i]!;
    }
    offset += elementCount;
  }
  assert(offset === sourceBits.length, 'the source holds the weights of the model and nothing else');
}
