/** tfjs Add of tensors of one shape → ONNX Add, one for each but the first: residual connections. */
import type { OnnxGraphBuilder } from '../graph-builder.ts';
import { type GraphValue, inOneOrder } from '../graph-value.ts';
import { type LayerCall, unsupported } from '../layer-call.ts';

export function exportAdd(call: LayerCall, graph: OnnxGraphBuilder): GraphValue {
  const shapes = call.inputs.map(({ shape }) => `[${shape.join(', ')}]`);
  if (new Set(shapes).size > 1) {
    throw unsupported(call, `its inputs have shapes ${shapes.join(' and ')}; supported: one shape`);
  }
  const { values, order } = inOneOrder(graph, call.inputs);
  const [first, ...others] = values.map(({ name }) => name);
  const name = others.reduce((sum, other) => graph.addNode('Add', [sum, other], call.layerName), first!);
  return { name, shape: call.outputShape, order };
}
