import { bitsOf, type SparseDelta } from '@freshet/protocol/delta';

/** The delta that sets the weights at `indices` (ascending; kept) to what they are in `trained`. */
export function valuesAt(trained: Float32Array, indices: Uint32Array): SparseDelta {
  const trainedBits = bitsOf(trained);
  const valueBits = new Uint32Array(indices.length);
  for (let i = 0; i < indices.length; i++) valueBits[i] = trainedBits[indices[i]!]!;
  return { indices, valueBits };
}
