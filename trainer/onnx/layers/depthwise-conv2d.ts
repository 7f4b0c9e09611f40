/** tfjs DepthwiseConv2D → ONNX Conv with one group for each input channel. */
import type { OnnxGraphBuilder } from '../graph-builder.ts';
import { type GraphValue, inChannelsFirst } from '../graph-value.ts';
import {
  type LayerCall,
  numberOption,
  pairOption,
  requireChannelsLast,
  soleImageInput,
  unsupportedOption,
} from '../layer-call.ts';
import { activated, bindBias, bindDepthwiseKernel, convolutionAttributes } from './convolution.ts';

export function exportDepthwiseConv2d(call: LayerCall, graph: OnnxGraphBuilder): GraphValue {
  requireChannelsLast(call);
  // tfjs announces an output shape that does not reckon with it.
  if (pairOption(call, 'dilationRate').some((rate) => rate !== 1)) {
    throw unsupportedOption(call, 'dilationRate', '1');
  }
  const input = inChannelsFirst(graph, soleImageInput(call));
  const attributes = convolutionAttributes(call, input.shape[2]!);
  const nodeInputs = [input.name, bindDepthwiseKernel(call, graph, numberOption(call, 'depthMultiplier'))];
  bindBias(call, graph, nodeInputs);
  return activated(call, graph, graph.addNode('Conv', nodeInputs, call.layerName, attributes));
}
