/**
 * tfjs Dense → ONNX Gemm, or MatMul and Add where the input has more axes than batch and features. After the Flatten
 * of a channels-first image the kernel's rows are stored in that image's order, so nothing is transposed at run time.
 */
import { transposedPositions } from '../axis-permutation.ts';
import type { OnnxGraphBuilder } from '../graph-builder.ts';
import { type GraphValue, inTfjsOrder, TFJS_ORDER } from '../graph-value.ts';
import { flagOption, type LayerCall, soleInput, weightNamed } from '../layer-call.ts';
import { activationOption, addActivation } from './activation.ts';

export function exportDense(call: LayerCall, graph: OnnxGraphBuilder): GraphValue {
  const activation = activationOption(call);
  const input = soleInput(call);
  const name = input.shape.length === 1 ? addGemm(call, graph, input) : addMatMul(call, graph, input);
  const product = { name, shape: call.outputShape, order: TFJS_ORDER };
  return addActivation(graph, product, activation, `${call.layerName}/${activation}`);
}

function addGemm(call: LayerCall, graph: OnnxGraphBuilder, input: GraphValue): string {
  const nodeInputs = [input.name, bindKernel(call, graph, input)];
  if (flagOption(call, 'useBias')) nodeInputs.push(bindBias(call, graph));
  return graph.addNode('Gemm', nodeInputs, call.layerName);
}

function addMatMul(call: LayerCall, graph: OnnxGraphBuilder, input: GraphValue): string {
  const ordered = inTfjsOrder(graph, input);
  const kernel = bindKernel(call, graph, ordered);
  if (!flagOption(call, 'useBias')) return graph.addNode('MatMul', [ordered.name, kernel], call.layerName);
  const product = graph.addNode('MatMul', [ordered.name, kernel], `${call.layerName}/product`);
  return graph.addNode('Add', [product, bindBias(call, graph)], call.layerName);
}

function bindKernel(call: LayerCall, graph: OnnxGraphBuilder, input: GraphValue): string {
  const units = call.outputShape.at(-1)!;
  const shape = [input.shape.at(-1)!, units];
  return graph.bindWeight(weightNamed(call, 'kernel'), shape, rowPositions(input, units));
}

function bindBias(call: LayerCall, graph: OnnxGraphBuilder): string {
  return graph.bindWeight(weightNamed(call, 'bias'), [call.outputShape.at(-1)!], null);
}

/** Where each element of the kernel comes from when its rows follow the element order of `input`. */
function rowPositions(input: GraphValue, units: number): Uint32Array | null {
  if (input.order.kind !== 'flat-channels-first') return null;
  const { pixels, channels } = input.order;
  return transposedPositions([pixels, channels, units], [1, 0, 2]);
}
