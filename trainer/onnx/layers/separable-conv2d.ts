/** tfjs SeparableConv2D → two ONNX Convs: one group for each input channel, then one pixel over all channels. */
import type { OnnxGraphBuilder } from '../graph-builder.ts';
import { type GraphValue, inChannelsFirst } from '../graph-value.ts';
import { type LayerCall, requireChannelsLast, soleImageInput, weightNamed } from '../layer-call.ts';
import {
  activated,
  bindBias,
  bindDepthwiseKernel,
  bindKernel,
  convolutionAttributes,
} from './convolution.ts';

export function exportSeparableConv2d(call: LayerCall, graph: OnnxGraphBuilder): GraphValue {
  requireChannelsLast(call);
  const input = inChannelsFirst(graph, soleImageInput(call));
  const attributes = convolutionAttributes(call, input.shape[2]!);
  // Its configuration does not say: tfjs leaves `depthMultiplier` out.
  const multiplier = weightNamed(call, 'depthwise_kernel').shape[3]!;
  const depthwise = graph.addNode(
    'Conv',
    [input.name, bindDepthwiseKernel(call, graph, multiplier)],
    `${call.layerName}/depthwise`,
    attributes,
  );
  const channels = input.shape[2]! * multiplier;
  const pointwise = bindKernel(call, graph, 'pointwise_kernel', [1, 1], channels, call.outputShape[2]!);
  const nodeInputs = [depthwise, pointwise];
  bindBias(call, graph, nodeInputs);
  return activated(call, graph, graph.addNode('Conv', nodeInputs, call.layerName));
}
