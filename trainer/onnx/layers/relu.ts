/** tfjs ReLU without a maximum → ONNX Relu. */
import type { OnnxGraphBuilder } from '../graph-builder.ts';
import type { GraphValue } from '../graph-value.ts';
import { type LayerCall, soleInput, unsupportedOption } from '../layer-call.ts';
import { addActivation } from './activation.ts';

export function exportRelu(call: LayerCall, graph: OnnxGraphBuilder): GraphValue {
  if (call.config['maxValue'] != null) throw unsupportedOption(call, 'maxValue', 'none');
  return addActivation(graph, soleInput(call), 'relu', call.layerName);
}
