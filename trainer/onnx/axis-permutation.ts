/**
 * Element order of a tensor whose axes are permuted, as a table of indices. One function covers every weight layout:
 * a convolution kernel HWIO → OIHW, and a dense kernel whose rows follow a flattened image from HWC to CHW.
 */
import { assert } from '@freshet/protocol/assert';

/**
 * For a row-major tensor of `shape`, transposed so that its axis j is the source's axis `axes[j]`: entry i of the
 * result is the source position of the transposed tensor's element i. Null when that changes nothing, so that the
 * caller can copy in one go.
 *
 * `transposedPositions([2, 3], [1, 0])` is [0, 3, 1, 4, 2, 5].
 */
export function transposedPositions(shape: readonly number[], axes: readonly number[]): Uint32Array | null {
  assert(axes.length === shape.length, 'one axis for each dimension');
  const sourceStrides = rowMajorStrides(shape);
  const targetShape = axes.map((axis) => shape[axis]!);
  const strides = axes.map((axis) => sourceStrides[axis]!);
  const positions = new Uint32Array(shape.reduce((product, dimension) => product * dimension, 1));
  const coordinates = new Array<number>(shape.length).fill(0);
  let source = 0;
  let isIdentity = true;
  for (let i = 0; i < positions.length; i++) {
    positions[i] = source;
    isIdentity &&= source === i;
    // Counts the coordinates up by one, like an odometer, and keeps `source` in step.
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      source += strides[axis]!;
      coordinates[axis]! += 1;
      if (coordinates[axis]! < targetShape[axis]!) break;
      source -= strides[axis]! * targetShape[axis]!;
      coordinates[axis] = 0;
    }
  }
  return isIdentity ? null : positions;
}

function rowMajorStrides(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length).fill(1);
  for (let axis = shape.length - 2; axis >= 0; axis--) strides[axis] = strides[axis + 1]! * shape[axis + 1]!;
  return strides;
}
