/** tfjs Activation, and the activation option that other layers carry, → one ONNX node (none for linear). */
import { intAttribute } from '../attributes.ts';
import type { OnnxGraphBuilder } from '../graph-builder.ts';
import type { GraphValue } from '../graph-value.ts';
import { choiceOption, type LayerCall, soleInput } from '../layer-call.ts';

const ACTIVATIONS = [
  'linear',
  'softmax',
  'elu',
  'relu',
  'selu',
  'sigmoid',
  'softplus',
  'softsign',
  'tanh',
] as const;

export type ActivationName = (typeof ACTIVATIONS)[number];

/** Element by element, with ONNX's default parameters, which are tfjs's too. */
const ELEMENTWISE_OPS = {
  elu: 'Elu',
  relu: 'Relu',
  selu: 'Selu',
  sigmoid: 'Sigmoid',
  softplus: 'Softplus',
  softsign: 'Softsign',
  tanh: 'Tanh',
} as const satisfies Record<Exclude<ActivationName, 'linear' | 'softmax'>, string>;

export function exportActivation(call: LayerCall, graph: OnnxGraphBuilder): GraphValue {
  return addActivation(graph, soleInput(call), activationOption(call), call.layerName);
}

/** The layer's option `activation`. */
export function activationOption(call: LayerCall): ActivationName {
  return choiceOption(call, 'activation', ACTIVATIONS);
}

/** Applies `activation` to `value`, whose element order stays as it is; `outputName` names the new tensor. */
export function addActivation(
  graph: OnnxGraphBuilder,
  value: GraphValue,
  activation: ActivationName,
  outputName: string,
): GraphValue {
  if (activation === 'linear') return value;
  const name =
    activation === 'softmax'
      ? graph.addNode('Softmax', [value.name], outputName, [intAttribute('axis', lastTfjsAxis(value))])
      : graph.addNode(ELEMENTWISE_OPS[activation], [value.name], outputName);
  return { ...value, name };
}

/** Where tfjs's last axis, the only one its softmax knows, is in the ONNX tensor. */
function lastTfjsAxis(value: GraphValue): number {
  return value.order.kind === 'channels-first' ? 1 : -1;
}
