/** tfjs Conv2D → ONNX Conv, its kernel stored as OIHW. */
import { intsAttribute } from '../attributes.ts';
import { transposedPositions } from '../axis-permutation.ts';
import type { OnnxGraphBuilder } from '../graph-builder.ts';
import { CHANNELS_FIRST, type GraphValue, inChannelsFirst } from '../graph-value.ts';
import {
  flagOption,
  type LayerCall,
  type Pair,
  pairOption,
  requireChannelsLast,
  soleImageInput,
  weightNamed,
} from '../layer-call.ts';
import { windowAttributes } from '../spatial-window.ts';
import { activationOption, addActivation } from './activation.ts';

const HWIO_TO_OIHW = [3, 2, 0, 1];

export function exportConv2d(call: LayerCall, graph: OnnxGraphBuilder): GraphValue {
  requireChannelsLast(call);
  const kernelSize = pairOption(call, 'kernelSize');
  const dilations = pairOption(call, 'dilationRate');
  const attributes = [
    ...windowAttributes(call, kernelSize, dilations),
    intsAttribute('dilations', dilations),
  ];
  const activation = activationOption(call);
  const input = inChannelsFirst(graph, soleImageInput(call));
  const nodeInputs = [input.name, bindKernel(call, graph, kernelSize)];
  if (flagOption(call, 'useBias')) {
    const bias = weightNamed(call, 'bias');
    nodeInputs.push(graph.bindWeight(bias, [call.outputShape[2]!], null));
  }
  const name = graph.addNode('Conv', nodeInputs, call.layerName, attributes);
  const convolved = { name, shape: call.outputShape, order: CHANNELS_FIRST };
  return addActivation(graph, convolved, activation, `${call.layerName}/${activation}`);
}

function bindKernel(call: LayerCall, graph: OnnxGraphBuilder, [height, width]: Pair): string {
  const inputChannels = soleImageInput(call).shape[2]!;
  const outputChannels = call.outputShape[2]!;
  const toCanonical = transposedPositions([height, width, inputChannels, outputChannels], HWIO_TO_OIHW);
  const shape = [outputChannels, inputChannels, height, width];
  return graph.bindWeight(weightNamed(call, 'kernel'), shape, toCanonical);
}
