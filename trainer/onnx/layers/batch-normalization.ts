/**
 * tfjs BatchNormalization along the channels → ONNX BatchNormalization, in its inference form. Scale, offset and both
 * moving statistics are weights: they are published, and whoever patches them changes what is computed. ONNX has no
 * form without scale or offset: a layer without them gets ones or zeros that are no weights.
 */
import { floatAttribute, floatTensorAttribute } from '../attributes.ts';
import { transposedPositions } from '../axis-permutation.ts';
import type { OnnxGraphBuilder } from '../graph-builder.ts';
import { type GraphValue, inChannelsFirst, inTfjsOrder } from '../graph-value.ts';
import {
  flagOption,
  type LayerCall,
  numberOption,
  soleInput,
  unsupported,
  unsupportedOption,
  weightNamed,
} from '../layer-call.ts';

export function exportBatchNormalization(call: LayerCall, graph: OnnxGraphBuilder): GraphValue {
  const input = normalizable(call, graph);
  const bind = (weight: string) =>
    graph.bindWeight(weightNamed(call, weight), [channelCount(input)], positionsOf(input));
  const constant = (what: string, value: number) => {
    const shape = graph.addIntegers(`${call.layerName}/${what}/shape`, [channelCount(input)]);
    const fill = [floatTensorAttribute('value', value)];
    return graph.addNode('ConstantOfShape', [shape], `${call.layerName}/${what}`, fill);
  };
  const nodeInputs = [
    input.name,
    flagOption(call, 'scale') ? bind('gamma') : constant('ones', 1),
    flagOption(call, 'center') ? bind('beta') : constant('zeros', 0),
    bind('moving_mean'),
    bind('moving_variance'),
  ];
  const epsilon = floatAttribute('epsilon', numberOption(call, 'epsilon'));
  return { ...input, name: graph.addNode('BatchNormalization', nodeInputs, call.layerName, [epsilon]) };
}

/** The input with its channels on the axis after the batch, where ONNX wants them. */
function normalizable(call: LayerCall, graph: OnnxGraphBuilder): GraphValue {
  const input = soleInput(call);
  const rank = input.shape.length;
  if (rank !== 1 && rank !== 3) {
    throw unsupported(call, `its input has ${rank} dimensions without the batch; supported: 1, 3`);
  }
  // Counted with the batch axis; `shape` is without it.
  const { axis } = call.config;
  if (axis !== -1 && axis !== rank) throw unsupportedOption(call, 'axis', `the last one (-1 or ${rank})`);
  if (rank === 3) return inChannelsFirst(graph, input);
  return input.order.kind === 'channels-first' ? inTfjsOrder(graph, input) : input;
}

function channelCount({ shape }: GraphValue): number {
  return shape.at(-1)!;
}

/** Where the parameter of each feature comes from: those of a flattened image follow its element order. */
function positionsOf({ order }: GraphValue): Uint32Array | null {
  if (order.kind !== 'flat-channels-first') return null;
  return transposedPositions([order.pixels, order.channels], [1, 0]);
}
