/** tfjs ELU → ONNX Elu. */
import { floatAttribute } from '../attributes.ts';
import type { OnnxGraphBuilder } from '../graph-builder.ts';
import type { GraphValue } from '../graph-value.ts';
import { type LayerCall, numberOption, soleInput } from '../layer-call.ts';

export function exportElu(call: LayerCall, graph: OnnxGraphBuilder): GraphValue {
  const input = soleInput(call);
  const alpha = floatAttribute('alpha', numberOption(call, 'alpha'));
  return { ...input, name: graph.addNode('Elu', [input.name], call.layerName, [alpha]) };
}
