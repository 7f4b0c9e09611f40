/**
 * Walks the graph of a tfjs model from its output back to its input and has each layer written on the way. It follows
 * the symbolic tensors, not a list of layers, so that branches, shared layers and layers with several inputs need
 * nothing more than an exporter of their own.
 */
import { assert } from '@freshet/protocol/assert';
import { FreshetError } from '@freshet/protocol/errors';
import type { LayersModel, SymbolicTensor } from '@tensorflow/tfjs-layers';
import type { OnnxGraphBuilder } from './graph-builder.ts';
import type { GraphValue } from './graph-value.ts';
import { type LayerCall, unsupported } from './layer-call.ts';
import { exporterOf } from './layer-registry.ts';

export interface ModelEnds {
  readonly input: SymbolicTensor;
  readonly output: SymbolicTensor;
}

/**
 * The model's one input and one output.
 * @throws LAYER_UNSUPPORTED when it has none or several.
 */
export function modelEnds({ name, inputs, outputs }: LayersModel): ModelEnds {
  const [input] = inputs;
  const [output] = outputs;
  if (input === undefined || output === undefined || inputs.length > 1 || outputs.length > 1) {
    throw new FreshetError(
      'LAYER_UNSUPPORTED',
      `model "${name}" has ${inputs.length} inputs and ${outputs.length} outputs; supported: one of each`,
      { details: { inputs: inputs.length, outputs: outputs.length } },
    );
  }
  return { input, output };
}

/**
 * Writes all layers between the ends of a model into `graph`; returns the model's output.
 * @throws LAYER_UNSUPPORTED
 */
export function writeLayers({ input, output }: ModelEnds, graph: OnnxGraphBuilder): GraphValue {
  const written = new Map<number, GraphValue>();
  writeTensor(input, graph, written);
  return writeTensor(output, graph, written);
}

/** Depth first: what a layer takes is written before it. `written` holds what has been, by the tensor's id. */
function writeTensor(
  tensor: SymbolicTensor,
  graph: OnnxGraphBuilder,
  written: Map<number, GraphValue>,
): GraphValue {
  const done = written.get(tensor.id);
  if (done !== undefined) return done;
  const layer = tensor.sourceLayer;
  const identity = { layerName: layer.name, className: layer.getClassName() };
  const exporter = exporterOf(identity);
  const node = layer.inboundNodes[tensor.nodeIndex];
  if (node === undefined || node.outputTensors.length !== 1) {
    throw unsupported(identity, `it has ${node?.outputTensors.length ?? 0} outputs; supported: one`);
  }
  if (node.callArgs?.['training'] === true) {
    throw unsupported(identity, 'it is applied with training: true; supported: inference only');
  }
  const call: LayerCall = {
    ...identity,
    config: layer.getConfig(),
    weights: layer.weights,
    // An input layer's node names its own output as its input.
    inputs: node.inputTensors
      .filter(({ id }) => id !== tensor.id)
      .map((inputTensor) => writeTensor(inputTensor, graph, written)),
    outputShape: staticShape(tensor, identity),
  };
  const value = exporter(call, graph);
  assert(
    value.shape.join() === call.outputShape.join(),
    `${layer.name} is exported with tfjs's output shape`,
  );
  written.set(tensor.id, value);
  return value;
}

/** The shape without the batch dimension, which may be unknown; the others may not. */
function staticShape(tensor: SymbolicTensor, identity: Pick<LayerCall, 'layerName' | 'className'>): number[] {
  return tensor.shape.slice(1).map((dimension) => {
    if (dimension === null || dimension < 1) {
      const shape = tensor.shape.map((size) => size ?? '?').join(', ');
      throw unsupported(
        identity,
        `its output has shape [${shape}]; supported: known dimensions of at least 1 after the batch`,
      );
    }
    return dimension;
  });
}
