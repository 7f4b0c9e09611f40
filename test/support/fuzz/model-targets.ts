/** Models: the message that announces one, and the ONNX file that a trainer reads. */
import { strict as assert } from 'node:assert';
import { downstreamCodec } from '@freshet/protocol/codec';
import { digestModel } from '@freshet/protocol/digest';
import type { DownstreamMessage, MessageNamed } from '@freshet/protocol/messages';
import { modelMessage, modelOfMessage, splitModel } from '@freshet/protocol/model';
import {
  cutWeights,
  extractWeights,
  joinWeights,
  readOnnxLayout,
  type TensorLayout,
} from '@freshet/protocol/onnx-layout';
import fc from 'fast-check';
import { buildCutOnnx } from '../onnx-builder.ts';
import { sumModel } from '../onnx-models.ts';
import { hugeInitializers, onnxSample } from '../onnx-samples.ts';
import type { FuzzTarget } from './fuzz-target.ts';

const GENERATED_COUNT = 150;

/** Messages of models as a device takes them, small ones and those that announce up to 2^28 weights. */
export function modelTarget(seed: number): FuzzTarget {
  const small = filesFor(seed).map((file) => modelMessage(splitModel('fuzz', file).model));
  const huge = fc.sample(hugeInitializers, { seed, numRuns: GENERATED_COUNT }).map((initializers) => {
    const { graph, fileOffsets } = buildCutOnnx(initializers);
    const tensors = initializers.map((each, i) => ({ ...each, fileOffset: fileOffsets[i]! }));
    return { type: 'model' as const, modelId: 'huge', tensors, graph };
  });
  return {
    name: 'model',
    codes: ['FRAME_MALFORMED', 'FRAME_TOO_LARGE', 'ONNX_MALFORMED'],
    corpus: [...small, ...huge].flatMap((message) => [
      { bytes: downstreamCodec.encode(message), decode: decodeModel },
      // The graph alone, so that all of the damage is in it.
      { bytes: message.graph, decode: (graph) => takeModel({ ...message, graph }) },
    ]),
  };
}

function decodeModel(bytes: Uint8Array): Uint8Array {
  const message = downstreamCodec.decode(bytes);
  if (message.type !== 'model') return downstreamCodec.encode(message);
  return takeModel(message);
}

function takeModel(message: MessageNamed<DownstreamMessage, 'model'>): Uint8Array {
  // The digest that the hub would have announced for it, so that the damage gets past that check.
  const model = modelOfMessage(message, digestModel(message.modelId, message.graph));
  return Buffer.from(JSON.stringify(model.tensors));
}

export function onnxTarget(seed: number): FuzzTarget {
  return {
    name: 'onnx',
    codes: ['ONNX_MALFORMED'],
    corpus: filesFor(seed).map((file) => ({ bytes: file, decode: decodeOnnx })),
  };
}

function decodeOnnx(file: Uint8Array): Uint8Array {
  const layout = readOnnxLayout(file);
  const rejoined = joinWeights(cutWeights(file, layout), layout, extractWeights(file, layout));
  assert.ok(Buffer.from(rejoined).equals(file), 'the parts make the whole');
  return Buffer.from(JSON.stringify(layout satisfies readonly TensorLayout[]));
}

function filesFor(seed: number): Uint8Array[] {
  const drawn = fc.sample(onnxSample, { seed, numRuns: GENERATED_COUNT });
  return [sumModel(1), ...drawn.map(({ file }) => file)];
}
