/** tfjs Concatenate along the last axis → ONNX Concat. */
import { intAttribute } from '../attributes.ts';
import type { OnnxGraphBuilder } from '../graph-builder.ts';
import { type GraphValue, inOneOrder } from '../graph-value.ts';
import { type LayerCall, unsupportedOption } from '../layer-call.ts';

export function exportConcatenate(call: LayerCall, graph: OnnxGraphBuilder): GraphValue {
  // Counted with the batch axis; shapes are without it.
  const lastAxis = call.outputShape.length;
  const { axis } = call.config;
  if (axis !== -1 && axis !== lastAxis) {
    throw unsupportedOption(call, 'axis', `the last one (-1 or ${lastAxis})`);
  }
  const { values, order } = inOneOrder(graph, call.inputs);
  const names = values.map(({ name }) => name);
  const onnxAxis = order.kind === 'channels-first' ? 1 : lastAxis;
  const name = graph.addNode('Concat', names, call.layerName, [intAttribute('axis', onnxAxis)]);
  return { name, shape: call.outputShape, order };
}
