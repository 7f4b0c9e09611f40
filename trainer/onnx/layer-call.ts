/**
 * One use of a tfjs layer in the model, as the exporter of that layer sees it: its options, its weights, the values
 * it takes and the shape it gives. Options are read through the functions here, so that what cannot be exported is
 * refused in one way: LAYER_UNSUPPORTED, naming the layer, the option and what is supported.
 */
import { FreshetError } from '@freshet/protocol/errors';
import type { serialization } from '@tensorflow/tfjs-core';
import type { LayerVariable } from '@tensorflow/tfjs-layers';
import type { OnnxGraphBuilder } from './graph-builder.ts';
import type { GraphValue } from './graph-value.ts';

export interface LayerCall {
  readonly layerName: string;
  /** As in tfjs's `getClassName()`: 'Conv2D'. */
  readonly className: string;
  readonly config: serialization.ConfigDict;
  readonly weights: readonly LayerVariable[];
  readonly inputs: readonly GraphValue[];
  /** Shape of the layer's tfjs output without the batch dimension; all dimensions known and positive. */
  readonly outputShape: readonly number[];
}

/**
 * Writes one layer into the graph and returns its output. Its shape has to be `call.outputShape`.
 * @throws LAYER_UNSUPPORTED
 */
export type LayerExporter = (call: LayerCall, graph: OnnxGraphBuilder) => GraphValue;

export type Pair = readonly [number, number];

export function unsupported(call: Pick<LayerCall, 'layerName' | 'className'>, reason: string): FreshetError {
  const { layerName, className } = call;
  return new FreshetError(
    'LAYER_UNSUPPORTED',
    `layer "${layerName}" (${className}) cannot be exported to ONNX: ${reason}`,
    { details: { layerName, className } },
  );
}

/** The value that a layer with one input takes. */
export function soleInput(call: LayerCall): GraphValue {
  const [input] = call.inputs;
  if (input === undefined || call.inputs.length > 1) {
    throw unsupported(call, `it has ${call.inputs.length} inputs; supported: one`);
  }
  return input;
}

/** The value that an image layer takes: tfjs shape [height, width, channels]. */
export function soleImageInput(call: LayerCall): GraphValue {
  const input = soleInput(call);
  if (input.shape.length !== 3) {
    throw unsupported(call, `its input has ${input.shape.length} dimensions without the batch; supported: 3`);
  }
  return input;
}

/** The weight called `name` within its layer: 'kernel' is 'conv1/kernel' of layer conv1. */
export function weightNamed(call: LayerCall, name: string): LayerVariable {
  const weight = call.weights.find(({ originalName }) => originalName.split('/').at(-1) === name);
  if (weight === undefined) throw unsupported(call, `it has no weight called "${name}"`);
  return weight;
}

/** A text option that has to be one of `supported`. */
export function choiceOption<Choice extends string>(
  call: LayerCall,
  option: string,
  supported: readonly Choice[],
): Choice {
  const value = call.config[option];
  const choice = supported.find((candidate) => candidate === value);
  if (choice === undefined) throw unsupportedOption(call, option, supported.join(', '));
  return choice;
}

/** An option that is one number for each of the two image axes. */
export function pairOption(call: LayerCall, option: string): Pair {
  const value = call.config[option];
  const [vertical, horizontal, ...more] = Array.isArray(value) ? value : [];
  if (!isPositiveInteger(vertical) || !isPositiveInteger(horizontal) || more.length > 0) {
    throw unsupportedOption(call, option, 'two positive integers');
  }
  return [vertical, horizontal];
}

export function numberOption(call: LayerCall, option: string): number {
  const value = call.config[option];
  if (typeof value !== 'number' || !Number.isFinite(value)) throw unsupportedOption(call, option, 'a number');
  return value;
}

export function flagOption(call: LayerCall, option: string): boolean {
  const value = call.config[option];
  if (typeof value !== 'boolean') throw unsupportedOption(call, option, 'true, false');
  return value;
}

export function requireChannelsLast(call: LayerCall): void {
  choiceOption(call, 'dataFormat', ['channelsLast']);
}

export function unsupportedOption(call: LayerCall, option: string, supported: string): FreshetError {
  const value = JSON.stringify(call.config[option]) ?? 'missing';
  return unsupported(call, `its option ${option} is ${value}; supported: ${supported}`);
}

function isPositiveInteger(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value > 0;
}
