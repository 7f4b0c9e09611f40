/** tfjs GlobalAveragePooling2D and GlobalMaxPooling2D → the ONNX operator of the name and a Flatten. */
import { intAttribute } from '../attributes.ts';
import type { OnnxGraphBuilder } from '../graph-builder.ts';
import { type GraphValue, inChannelsFirst, TFJS_ORDER } from '../graph-value.ts';
import { type LayerCall, type LayerExporter, requireChannelsLast, soleImageInput } from '../layer-call.ts';

export const exportGlobalAveragePooling2d = globalPooling('GlobalAveragePool');
export const exportGlobalMaxPooling2d = globalPooling('GlobalMaxPool');

function globalPooling(opType: string): LayerExporter {
  return (call: LayerCall, graph: OnnxGraphBuilder): GraphValue => {
    requireChannelsLast(call);
    const input = inChannelsFirst(graph, soleImageInput(call));
    const pooled = graph.addNode(opType, [input.name], `${call.layerName}/pooled`);
    const name = graph.addNode('Flatten', [pooled], call.layerName, [intAttribute('axis', 1)]);
    return { name, shape: call.outputShape, order: TFJS_ORDER };
  };
}
