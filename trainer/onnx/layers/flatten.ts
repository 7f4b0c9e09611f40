/** tfjs Flatten → ONNX Flatten. A channels-first image stays so; whoever comes next sees it in the element order. */
import { intAttribute } from '../attributes.ts';
import type { OnnxGraphBuilder } from '../graph-builder.ts';
import { type ElementOrder, type GraphValue, TFJS_ORDER } from '../graph-value.ts';
import { type LayerCall, soleInput, unsupportedOption } from '../layer-call.ts';

export function exportFlatten(call: LayerCall, graph: OnnxGraphBuilder): GraphValue {
  const dataFormat = call.config['dataFormat'];
  if (dataFormat != null && dataFormat !== 'channelsLast') {
    throw unsupportedOption(call, 'dataFormat', 'channelsLast');
  }
  const input = soleInput(call);
  const name = graph.addNode('Flatten', [input.name], call.layerName, [intAttribute('axis', 1)]);
  return { name, shape: call.outputShape, order: flattenedOrder(input) };
}

function flattenedOrder({ shape, order }: GraphValue): ElementOrder {
  if (order.kind !== 'channels-first') return TFJS_ORDER;
  return { kind: 'flat-channels-first', pixels: shape[0]! * shape[1]!, channels: shape[2]! };
}
