/** What all 2-D convolutions share: the ONNX Conv node with its bias and the activation after it. */
import { intAttribute, intsAttribute } from '../attributes.ts';
import { transposedPositions } from '../axis-permutation.ts';
import type { OnnxGraphBuilder } from '../graph-builder.ts';
import { CHANNELS_FIRST, type GraphValue } from '../graph-value.ts';
import {
  flagOption,
  type LayerCall,
  type Pair,
  pairOption,
  soleImageInput,
  weightNamed,
} from '../layer-call.ts';
import { windowAttributes } from '../spatial-window.ts';
import { activationOption, addActivation } from './activation.ts';

/** Adds the layer's `bias`, if it has one, to a node's inputs. */
export function bindBias(call: LayerCall, graph: OnnxGraphBuilder, nodeInputs: string[]): void {
  if (!flagOption(call, 'useBias')) return;
  nodeInputs.push(graph.bindWeight(weightNamed(call, 'bias'), [call.outputShape[2]!], null));
}

/** Attributes of the Conv that slides the layer's window, `groups` times side by side. */
export function convolutionAttributes(call: LayerCall, groups: number) {
  const dilations = pairOption(call, 'dilationRate');
  const window = windowAttributes(call, pairOption(call, 'kernelSize'), dilations);
  const group = groups === 1 ? [] : [intAttribute('group', groups)];
  return [...window, intsAttribute('dilations', dilations), ...group];
}

/** Binds a kernel that tfjs stores as [height, width, inputs, outputs] as [outputs, inputs, height, width]. */
export function bindKernel(
  call: LayerCall,
  graph: OnnxGraphBuilder,
  weight: string,
  [height, width]: Pair,
  inputs: number,
  outputs: number,
): string {
  const toCanonical = transposedPositions([height, width, inputs, outputs], [3, 2, 0, 1]);
  return graph.bindWeight(weightNamed(call, weight), [outputs, inputs, height, width], toCanonical);
}

/**
 * Binds a depthwise kernel, [height, width, channels, multiplier] in tfjs, as [channels × multiplier, 1, height, width]:
 * tfjs's output channel c × multiplier + m is ONNX's.
 */
export function bindDepthwiseKernel(call: LayerCall, graph: OnnxGraphBuilder, multiplier: number): string {
  const [height, width] = pairOption(call, 'kernelSize');
  const channels = soleImageInput(call).shape[2]!;
  const toCanonical = transposedPositions([height, width, channels, multiplier], [2, 3, 0, 1]);
  const shape = [channels * multiplier, 1, height, width];
  return graph.bindWeight(weightNamed(call, 'depthwise_kernel'), shape, toCanonical);
}

/** The layer's output: what `nodeName` computes, channels-first, with the layer's activation. */
export function activated(call: LayerCall, graph: OnnxGraphBuilder, nodeName: string): GraphValue {
  const activation = activationOption(call);
  const convolved = { name: nodeName, shape: call.outputShape, order: CHANNELS_FIRST };
  return addActivation(graph, convolved, activation, `${call.layerName}/${activation}`);
}
