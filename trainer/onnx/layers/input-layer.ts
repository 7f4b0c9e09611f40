/** tfjs InputLayer → the graph's input. */
import type { OnnxGraphBuilder } from '../graph-builder.ts';
import { type GraphValue, TFJS_ORDER } from '../graph-value.ts';
import { choiceOption, type LayerCall } from '../layer-call.ts';

export function exportInputLayer(call: LayerCall, graph: OnnxGraphBuilder): GraphValue {
  choiceOption(call, 'dtype', ['float32']);
  return { name: graph.addInput(call.outputShape), shape: call.outputShape, order: TFJS_ORDER };
}
