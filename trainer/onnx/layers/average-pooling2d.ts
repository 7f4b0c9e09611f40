/** tfjs AveragePooling2D → ONNX AveragePool. tfjs divides by the number of real pixels, not of padded ones. */
import { intAttribute } from '../attributes.ts';
import type { OnnxGraphBuilder } from '../graph-builder.ts';
import { CHANNELS_FIRST, type GraphValue, inChannelsFirst } from '../graph-value.ts';
import { type LayerCall, pairOption, requireChannelsLast, soleImageInput } from '../layer-call.ts';
import { windowAttributes } from '../spatial-window.ts';

export function exportAveragePooling2d(call: LayerCall, graph: OnnxGraphBuilder): GraphValue {
  requireChannelsLast(call);
  const attributes = [
    ...windowAttributes(call, pairOption(call, 'poolSize'), [1, 1]),
    intAttribute('count_include_pad', 0),
  ];
  const input = inChannelsFirst(graph, soleImageInput(call));
  const name = graph.addNode('AveragePool', [input.name], call.layerName, attributes);
  return { name, shape: call.outputShape, order: CHANNELS_FIRST };
}
