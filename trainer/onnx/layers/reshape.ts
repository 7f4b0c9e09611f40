/** tfjs Reshape → ONNX Reshape, on elements in tfjs's order. */
import type { OnnxGraphBuilder } from '../graph-builder.ts';
import { type GraphValue, inTfjsOrder, reshape, TFJS_ORDER } from '../graph-value.ts';
import { type LayerCall, soleInput } from '../layer-call.ts';

export function exportReshape(call: LayerCall, graph: OnnxGraphBuilder): GraphValue {
  const input = inTfjsOrder(graph, soleInput(call));
  const name = reshape(graph, input.name, call.outputShape, call.layerName);
  return { name, shape: call.outputShape, order: TFJS_ORDER };
}
