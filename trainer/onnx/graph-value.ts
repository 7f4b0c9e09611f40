/**
 * A tensor between two layers of the exported graph. tfjs keeps images channels-last (NHWC), ONNX's convolutions and
 * pooling want them channels-first (NCHW). Each value therefore says in which order its elements are; a layer asks
 * for the order it needs, so that a chain of convolutions transposes once, at its start.
 */
import { intsAttribute } from './attributes.ts';
import type { OnnxGraphBuilder } from './graph-builder.ts';

export type ElementOrder =
  /** As tfjs has it. */
  | { readonly kind: 'tfjs' }
  /** An image of tfjs shape [height, width, channels], stored as [channels, height, width]. */
  | { readonly kind: 'channels-first' }
  /** The same after Flatten: one axis of `channels` runs of `pixels` elements each. */
  | { readonly kind: 'flat-channels-first'; readonly pixels: number; readonly channels: number };

export interface GraphValue {
  /** Name of the ONNX tensor. */
  readonly name: string;
  /** Shape of the tfjs tensor without the batch dimension, whatever the order of the elements. */
  readonly shape: readonly number[];
  readonly order: ElementOrder;
}

export const TFJS_ORDER: ElementOrder = { kind: 'tfjs' };
export const CHANNELS_FIRST: ElementOrder = { kind: 'channels-first' };

/** `value` in tfjs's element order; adds nodes to the graph where it is in another. */
export function inTfjsOrder(graph: OnnxGraphBuilder, value: GraphValue): GraphValue {
  const { name, shape, order } = value;
  switch (order.kind) {
    case 'tfjs':
      return value;
    case 'channels-first': {
      const perm = intsAttribute('perm', [0, 2, 3, 1]);
      return { name: graph.addNode('Transpose', [name], `${name}/nhwc`, [perm]), shape, order: TFJS_ORDER };
    }
    case 'flat-channels-first': {
      const runs = reshape(graph, name, [order.channels, order.pixels], `${name}/runs`);
      const perm = intsAttribute('perm', [0, 2, 1]);
      const transposed = graph.addNode('Transpose', [runs], `${name}/transposed`, [perm]);
      return { name: reshape(graph, transposed, shape, `${name}/flat`), shape, order: TFJS_ORDER };
    }
  }
}

/** `value`, an image of shape [height, width, channels], channels-first; adds a Transpose where it is not. */
export function inChannelsFirst(graph: OnnxGraphBuilder, value: GraphValue): GraphValue {
  if (value.order.kind === 'channels-first') return value;
  const { name, shape } = inTfjsOrder(graph, value);
  const transposed = graph.addNode('Transpose', [name], `${name}/nchw`, [
    intsAttribute('perm', [0, 3, 1, 2]),
  ]);
  return { name: transposed, shape, order: CHANNELS_FIRST };
}

/** The values in one element order, which is the second result: as they are where they agree, without a Transpose. */
export function inOneOrder(
  graph: OnnxGraphBuilder,
  values: readonly GraphValue[],
): { readonly values: readonly GraphValue[]; readonly order: ElementOrder } {
  const kinds = new Set(values.map(({ order }) => order.kind));
  const [first] = values;
  // A flattened order of one shape may still run over other images.
  if (first !== undefined && kinds.size === 1 && first.order.kind !== 'flat-channels-first') {
    return { values, order: first.order };
  }
  const areImages = kinds.has('channels-first');
  const convert = areImages ? inChannelsFirst : inTfjsOrder;
  return {
    values: values.map((value) => convert(graph, value)),
    order: areImages ? CHANNELS_FIRST : TFJS_ORDER,
  };
}

/** Adds a Reshape to `shape` (without the batch dimension, which stays) and returns the name of its output. */
export function reshape(
  graph: OnnxGraphBuilder,
  inputName: string,
  shape: readonly number[],
  outputName: string,
): string {
  // In ONNX a 0 copies the input's dimension at that place: here the batch.
  const target = graph.addIntegers(`${outputName}/shape`, [0, ...shape]);
  return graph.addNode('Reshape', [inputName, target], outputName);
}
