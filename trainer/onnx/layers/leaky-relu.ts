/** tfjs LeakyReLU → ONNX LeakyRelu. Their default slopes differ, so it is always written. */
import { floatAttribute } from '../attributes.ts';
import type { OnnxGraphBuilder } from '../graph-builder.ts';
import type { GraphValue } from '../graph-value.ts';
import { type LayerCall, numberOption, soleInput } from '../layer-call.ts';

export function exportLeakyRelu(call: LayerCall, graph: OnnxGraphBuilder): GraphValue {
  const input = soleInput(call);
  const alpha = floatAttribute('alpha', numberOption(call, 'alpha'));
  return { ...input, name: graph.addNode('LeakyRelu', [input.name], call.layerName, [alpha]) };
}
