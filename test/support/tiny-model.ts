/**
 * A model for tests of storage and transport: an ONNX file of nothing but tensors, which nothing can run. And the
 * versions of its weights, as a trainer would publish them.
 */
import { diffWeights } from '@freshet/protocol/delta';
import { encodeDeltaPayload } from '@freshet/protocol/delta-payload';
import { digestWeights } from '@freshet/protocol/digest';
import {
  asLineId,
  asWeightsVersion,
  type Position,
  type Root,
  type WeightsVersion,
} from '@freshet/protocol/ids';
import { type Model, makeModel } from '@freshet/protocol/model';
import type { TensorLayout } from '@freshet/protocol/onnx-layout';
import { buildCutOnnx, type CutInitializer } from './onnx-builder.ts';

export const LINE = asLineId('0123456789abcdef'.repeat(2));

/** A model of tensors with these shapes. Another `graphSeed` gives another model of the same layout. */
export function modelOfShapes(shapes: readonly (readonly number[])[], graphSeed = 0): Model {
  const prefix = graphSeed === 0 ? 'tensor' : `tensor-of-${graphSeed}`;
  return modelOfTensors(
    'tiny',
    shapes.map((shape, i) => ({ name: `${prefix}-${i}`, shape })),
  );
}

/** A model of these tensors, with the layout that reading its file would give. */
export function modelOfTensors(modelId: string, tensors: readonly CutInitializer[]): Model {
  const { graph, fileOffsets } = buildCutOnnx(tensors);
  let elementOffset = 0;
  const layout: TensorLayout[] = tensors.map(({ name, shape }, i) => {
    const elementCount = shape.reduce((product, dimension) => product * dimension, 1);
    const tensor = { name, shape, elementOffset, elementCount, fileOffset: fileOffsets[i]! };
    elementOffset += elementCount;
    return tensor;
  });
  return makeModel(modelId, layout, new Uint8Array(graph));
}

/** A model with one tensor of `elementCount` weights. */
export function tinyModel(elementCount: number, graphSeed = 0): Model {
  return modelOfShapes([[elementCount]], graphSeed);
}

export function positionOf(model: Model, version: number, weights: Float32Array): Position {
  const weightsVersion = asWeightsVersion(version);
  return { version: weightsVersion, root: digestWeights(weights, model.digest, weightsVersion) };
}

/** What a delta message carries that takes `before`, version `base`, to `after`, version `next`. */
export interface PublishedDelta {
  readonly base: WeightsVersion;
  readonly next: WeightsVersion;
  readonly root: Root;
  readonly payload: Uint8Array;
}

export function deltaBetween(
  model: Model,
  [base, before]: readonly [number, Float32Array],
  [next, after]: readonly [number, Float32Array],
): PublishedDelta {
  return {
    base: asWeightsVersion(base),
    next: asWeightsVersion(next),
    root: digestWeights(after, model.digest, asWeightsVersion(next)),
    payload: encodeDeltaPayload(diffWeights(before, after), before, model),
  };
}

/**
 * Weights of any version of a synthetic run, computed from the version alone, so that two processes agree on them:
 * version v differs from v − 1 in `changedCount` places. O(version · changedCount).
 */
export function syntheticWeights(elementCount: number, version: number, changedCount: number): Float32Array {
  const bits = new Uint32Array(elementCount);
  for (let v = 1; v <= version; v++) writeSyntheticStep(bits, v, changedCount);
  return new Float32Array(bits.buffer);
}

/** `syntheticWeights` of the version after `version`, from those of `version`. */
export function nextSyntheticWeights(
  weights: Float32Array,
  version: number,
  changedCount: number,
): Float32Array {
  const next = weights.slice();
  writeSyntheticStep(new Uint32Array(next.buffer), version + 1, changedCount);
  return next;
}

function writeSyntheticStep(bits: Uint32Array, version: number, changedCount: number): void {
  for (let i = 0; i < changedCount; i++) {
    // Multipliers of Knuth's and of Murmur's hash: any odd constants that spread would do.
    const index = Math.imul(version * 31 + i, 0x9e3779b1) >>> 0;
    bits[index % bits.length] = Math.imul(version ^ (i << 16), 0x85ebca6b);
  }
}
