/** tfjs MaxPooling2D → ONNX MaxPool. Both leave padding out of the maximum. */
import type { OnnxGraphBuilder } from '../graph-builder.ts';
import { CHANNELS_FIRST, type GraphValue, inChannelsFirst } from '../graph-value.ts';
import { type LayerCall, pairOption, requireChannelsLast, soleImageInput } from '../layer-call.ts';
import { windowAttributes } from '../spatial-window.ts';

export function exportMaxPooling2d(call: LayerCall, graph: OnnxGraphBuilder): GraphValue {
  requireChannelsLast(call);
  const attributes = windowAttributes(call, pairOption(call, 'poolSize'), [1, 1]);
  const input = inChannelsFirst(graph, soleImageInput(call));
  const name = graph.addNode('MaxPool', [input.name], call.layerName, attributes);
  return { name, shape: call.outputShape, order: CHANNELS_FIRST };
}
