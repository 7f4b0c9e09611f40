/** tfjs Softmax along the last axis, the only one that tfjs computes, → ONNX Softmax. */
import type { OnnxGraphBuilder } from '../graph-builder.ts';
import type { GraphValue } from '../graph-value.ts';
import { type LayerCall, soleInput, unsupportedOption } from '../layer-call.ts';
import { addActivation } from './activation.ts';

export function exportSoftmax(call: LayerCall, graph: OnnxGraphBuilder): GraphValue {
  const input = soleInput(call);
  // Counted with the batch axis; `shape` is without it.
  const lastAxis = input.shape.length;
  const axis = call.config['axis'];
  if (axis !== -1 && axis !== lastAxis)
    throw unsupportedOption(call, 'axis', `the last one (-1 or ${lastAxis})`);
  return addActivation(graph, input, 'softmax', call.layerName);
}
