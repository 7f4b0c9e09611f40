/**
 * A model as both sides know it: the ONNX file split into its graph (nodes, names, shapes) and its weights. The graph
 * travels once; from then on only weights do. The canonical layout, which every index on the wire refers to, is the
 * order of the float32 initializers in the file.
 */
import { assert } from './assert.ts';
import { digestModel } from './digest.ts';
import { FreshetError } from './errors.ts';
import type { ModelDigest } from './ids.ts';
import { GRAPH_BYTES_MAX } from './limits.ts';
import type { DownstreamMessage, MessageNamed } from './messages.ts';
import {
  cutWeights,
  extractWeights,
  joinWeights,
  readCutLayout,
  readOnnxLayout,
  type TensorLayout,
} from './onnx-layout.ts';

export interface Model {
  readonly modelId: string;
  readonly digest: ModelDigest;
  /** The manifest: name, shape and place of each tensor, in canonical order. */
  readonly tensors: readonly TensorLayout[];
  /** The ONNX file with the weight bytes cut out. */
  readonly graph: Uint8Array;
  /** Number of weights. */
  readonly elementCount: number;
  /** Size of the complete ONNX file: what sending the full model costs. */
  readonly fileBytes: number;
}

/**
 * Splits a complete ONNX file. `weights` is a copy in canonical order.
 * @throws ONNX_MALFORMED
 */
export function splitModel(modelId: string, file: Uint8Array): { model: Model; weights: Float32Array } {
  const tensors = readOnnxLayout(file);
  const graph = cutWeights(file, tensors);
  if (graph.length > GRAPH_BYTES_MAX) {
    throw new FreshetError(
      'ONNX_MALFORMED',
      `the graph without weights has ${graph.length} bytes; the limit is ${GRAPH_BYTES_MAX}`,
    );
  }
  return { model: makeModel(modelId, tensors, graph), weights: extractWeights(file, tensors) };
}

/** The complete ONNX file of `model` with `weights`: a new buffer. */
export function joinModel(model: Model, weights: Float32Array): Uint8Array {
  assert(weights.length === model.elementCount, 'as many weights as the model has');
  return joinWeights(model.graph, model.tensors, weights);
}

export function modelMessage(model: Model): MessageNamed<DownstreamMessage, 'model'> {
  const tensors = model.tensors.map(({ name, shape, fileOffset }) => ({ name, shape, fileOffset }));
  return { type: 'model', modelId: model.modelId, tensors, graph: model.graph };
}

/**
 * The model that a peer sent. The announced layout is not believed (`checkTensors`). The graph is copied, so that the
 * frame it came in can go.
 * @throws FRAME_MALFORMED when the digest is not the one that `welcome` named: damaged on the way, so worth another try.
 * ONNX_MALFORMED for a bad file or layout.
 */
export function modelOfMessage(
  message: MessageNamed<DownstreamMessage, 'model'>,
  expected: ModelDigest,
): Model {
  const announced = layoutOfAnnounced(message.tensors);
  // Not `slice()`: from a socket come Buffers, and a Buffer's is a view, which would keep the frame.
  const model = makeModel(message.modelId, announced, new Uint8Array(message.graph));
  if (model.digest !== expected) {
    throw new FreshetError('FRAME_MALFORMED', 'the model that arrived is not the one the hub announced');
  }
  checkTensors(model);
  return model;
}

/**
 * Holds the tensors of `model` against its graph: they have to be those that reading the joined file would give. The
 * digest covers name and graph only, so tensors that came from outside, a peer or a disk, are to be checked with this.
 * The file is not made: memory is in proportion to graph and tensors, whatever the shapes say.
 * @throws ONNX_MALFORMED
 */
export function checkTensors({ graph, tensors }: Model): void {
  if (!isSameLayout(readCutLayout(graph, tensors), tensors)) {
    throw new FreshetError('ONNX_MALFORMED', 'the tensors are not those of the ONNX file');
  }
}

/** Puts a model together from its parts, which are believed: see `checkTensors`. */
export function makeModel(modelId: string, tensors: readonly TensorLayout[], graph: Uint8Array): Model {
  const elementCount = tensors.reduce((sum, tensor) => sum + tensor.elementCount, 0);
  return {
    modelId,
    digest: digestModel(modelId, graph),
    tensors,
    graph,
    elementCount,
    fileBytes: graph.length + elementCount * Float32Array.BYTES_PER_ELEMENT,
  };
}

function layoutOfAnnounced(
  tensors: MessageNamed<DownstreamMessage, 'model'>['tensors'],
): readonly TensorLayout[] {
  let elementOffset = 0;
  return tensors.map(({ name, shape, fileOffset }) => {
    // Beyond 2^53 no longer exact, but then far beyond what a model may have.
    const elementCount = shape.reduce((product, dimension) => product * dimension, 1);
    const tensor = { name, shape: [...shape], elementOffset, elementCount, fileOffset };
    elementOffset += elementCount;
    return tensor;
  });
}

function isSameLayout(left: readonly TensorLayout[], right: readonly TensorLayout[]): boolean {
  return left.length === right.length && left.every((tensor, i) => isSameTensor(tensor, right[i]!));
}

function isSameTensor(left: TensorLayout, right: TensorLayout): boolean {
  return (
    left.name === right.name &&
    left.elementOffset === right.elementOffset &&
    left.elementCount === right.elementCount &&
    left.fileOffset === right.fileOffset &&
    left.shape.length === right.shape.length &&
    left.shape.every((dimension, i) => dimension === right.shape[i])
  );
}
