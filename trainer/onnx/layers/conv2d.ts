/** tfjs Conv2D → ONNX Conv, its kernel stored as OIHW. */
import type { OnnxGraphBuilder } from '../graph-builder.ts';
import { type GraphValue, inChannelsFirst } from '../graph-value.ts';
import { type LayerCall, pairOption, requireChannelsLast, soleImageInput } from '../layer-call.ts';
import { activated, bindBias, bindKernel, convolutionAttributes } from './convolution.ts';

export function exportConv2d(call: LayerCall, graph: OnnxGraphBuilder): GraphValue {
  requireChannelsLast(call);
  const attributes = convolutionAttributes(call, 1);
  const input = inChannelsFirst(graph, soleImageInput(call));
  const kernelSize = pairOption(call, 'kernelSize');
  const kernel = bindKernel(call, graph, 'kernel', kernelSize, input.shape[2]!, call.outputShape[2]!);
  const nodeInputs = [input.name, kernel];
  bindBias(call, graph, nodeInputs);
  return activated(call, graph, graph.addNode('Conv', nodeInputs, call.layerName, attributes));
}
