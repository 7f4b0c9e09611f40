/** Models that are a list of tensors and random weights, without a graph: enough for whatever only moves weights. */
import { type Model, makeModel } from '@freshet/protocol/model';
import type { TensorLayout } from '@freshet/protocol/onnx-layout';
import { createRandom, type Random } from '@freshet/trainer/core/random';
import { normalDraw, symmetricDraw } from './draws.ts';
import { Drift, type DriftOptions } from './drift.ts';
import type { Trajectory } from './trajectory.ts';

/** What the weights of a tensor are before training; `bound`: uniform in [−bound, bound). */
export type InitialValues =
  | { readonly kind: 'normal'; readonly deviation: number }
  | { readonly kind: 'uniform'; readonly bound: number }
  | { readonly kind: 'constant'; readonly value: number };

export interface TensorSpec {
  readonly name: string;
  readonly shape: readonly number[];
  readonly initial: InitialValues;
}

export interface GeneratedOptions extends DriftOptions {
  readonly seed: number;
  readonly steps: number;
}

/** A trajectory that depends on nothing but its parameters. */
export function generatedTrajectory(
  name: string,
  specs: readonly TensorSpec[],
  { seed, steps, ...driftOptions }: GeneratedOptions,
): Trajectory {
  const random = createRandom(seed);
  const model = modelOf(name, specs);
  const initial = drawWeights(model, specs, random);
  const drift = new Drift(model, random, driftOptions);
  const trained: Float32Array[] = [];
  while (trained.length < steps) trained.push(drift.step(trained.at(-1) ?? initial));
  return { name, model, initial, trained };
}

/** Its size is that of the weights alone: savings are not counted against a graph that is not there. */
function modelOf(name: string, specs: readonly TensorSpec[]): Model {
  let elementOffset = 0;
  const tensors = specs.map((spec): TensorLayout => {
    const elementCount = spec.shape.reduce((product, dimension) => product * dimension, 1);
    const fileOffset = elementOffset * Float32Array.BYTES_PER_ELEMENT;
    const tensor = { name: spec.name, shape: spec.shape, elementOffset, elementCount, fileOffset };
    elementOffset += elementCount;
    return tensor;
  });
  return makeModel(name, tensors, new Uint8Array(0));
}

function drawWeights(model: Model, specs: readonly TensorSpec[], random: Random): Float32Array {
  const weights = new Float32Array(model.elementCount);
  for (const [tensor, { initial }] of specs.entries()) {
    const { elementOffset, elementCount } = model.tensors[tensor]!;
    const values = weights.subarray(elementOffset, elementOffset + elementCount);
    for (let i = 0; i < values.length; i++) values[i] = drawInitial(initial, random);
  }
  return weights;
}

function drawInitial(initial: InitialValues, random: Random): number {
  switch (initial.kind) {
    case 'normal':
      return initial.deviation * normalDraw(random);
    case 'uniform':
      return initial.bound * symmetricDraw(random);
    case 'constant':
      return initial.value;
  }
}
