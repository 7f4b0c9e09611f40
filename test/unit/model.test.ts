/**
 * What a device makes of the model that a hub announces: the layout is believed only where the graph says the same,
 * and memory follows the bytes that came, not the numbers in them.
 */
import { strict as assert } from 'node:assert';
import { describe, it } from 'node:test';
import { digestModel } from '@freshet/protocol/digest';
import { FreshetError } from '@freshet/protocol/errors';
import { asModelDigest } from '@freshet/protocol/ids';
import { ELEMENT_COUNT_MAX } from '@freshet/protocol/limits';
import type { DownstreamMessage, MessageNamed } from '@freshet/protocol/messages';
import { type Model, modelMessage, modelOfMessage } from '@freshet/protocol/model';
import { growthDuring } from '../support/memory.ts';
import { buildCutOnnx, type CutInitializer } from '../support/onnx-builder.ts';

type ModelMessage = MessageNamed<DownstreamMessage, 'model'>;
type Tensor = ModelMessage['tensors'][number];

const MIB = 2 ** 20;

function messageOf(...initializers: CutInitializer[]): ModelMessage {
  const { graph, fileOffsets } = buildCutOnnx(initializers);
  const tensors = initializers.map((initializer, i) => ({ ...initializer, fileOffset: fileOffsets[i]! }));
  return { type: 'model', modelId: 'm', tensors, graph };
}

/** Receives `message` from a hub whose `welcome` named the right digest. */
function receive(message: ModelMessage): Model {
  return modelOfMessage(message, digestModel(message.modelId, message.graph));
}

function assertRefused(message: ModelMessage): void {
  assert.throws(
    () => receive(message),
    (error) => error instanceof FreshetError && error.code === 'ONNX_MALFORMED',
  );
}

/** 15 weights in three tensors, and one tensor of none. */
const HONEST = messageOf(
  { name: 'a', shape: [2, 3] },
  { name: 'b', shape: [] },
  { name: 'c', shape: [0, 7] },
  { name: 'd', shape: [8] },
);
const [A, B, C, D] = HONEST.tensors as [Tensor, Tensor, Tensor, Tensor];

describe('a model message', () => {
  it('is taken when the graph says the same', () => {
    const model = receive(HONEST);
    assert.deepEqual(modelMessage(model), { ...HONEST, graph: new Uint8Array(HONEST.graph) });
    assert.equal(model.elementCount, 15);
    assert.deepEqual(
      model.tensors.map(({ elementOffset, elementCount }) => [elementOffset, elementCount]),
      [
        [0, 6],
        [6, 1],
        [7, 0],
        [7, 8],
      ],
    );
  });

  it('leaves its frame to whoever it belongs to, as a Buffer too', () => {
    for (const graph of [Buffer.from(HONEST.graph), new Uint8Array(HONEST.graph)]) {
      const model = receive({ ...HONEST, graph });
      graph.fill(0);
      assert.deepEqual(model.graph, new Uint8Array(HONEST.graph));
    }
  });

  it('whose graph is another than welcome named was damaged on the way', () => {
    assert.throws(() => modelOfMessage(HONEST, asModelDigest('00'.repeat(32))), { code: 'FRAME_MALFORMED' });
  });

  const moved = (tensor: Tensor, byteCount: number): Tensor => ({
    ...tensor,
    fileOffset: tensor.fileOffset + byteCount,
  });
  const shaped = (tensor: Tensor, ...shape: number[]): Tensor => ({ ...tensor, shape });
  const UINT32_MAX = 2 ** 32 - 1;

  const HOSTILE: Readonly<Record<string, readonly Tensor[]>> = {
    nothing: [],
    'a tensor too few': [A, B, C],
    'a tensor of no weights too few': [A, B, D],
    'a tensor twice': [A, B, B, C, D],
    'a tensor of no weights that is not there': [A, B, C, { ...C, name: 'e' }, D],
    'other names': [A, { ...B, name: 'e' }, C, D],
    'tensors out of order': [B, A, C, D],
    'dimensions out of order': [shaped(A, 3, 2), B, C, D],
    'one dimension for two': [shaped(A, 6), B, C, D],
    'other dimensions without weights': [A, B, shaped(C, 7, 0), D],
    'a dimension too many': [A, B, C, shaped(D, 8, 1)],
    'another place for no weights': [A, B, moved(C, -1), D],
    'one tensor as two': [shaped(A, 2), { ...moved(A, 8), name: 'a2', shape: [4] }, B, C, D],
    'weights that begin in the structure before them': [moved(A, -1), B, C, D],
    'weights that end in the structure after them': [A, B, C, moved(D, 1)],
    'a structure that the weights swallow': [moved(A, -A.fileOffset), B, C, D],
    'tensors that overlap': [A, moved(A, 23), C, D],
    'tensors that overlap by name only': [A, { ...B, fileOffset: A.fileOffset }, C, D],
    'offsets beyond the file': [A, B, C, moved(D, 4 * 15)],
    'offsets beyond any file': [A, B, C, { ...D, fileOffset: Number.MAX_SAFE_INTEGER }],
    'as many weights as there may be': [shaped(A, ELEMENT_COUNT_MAX - 9), B, C, D],
    'more weights than there may be': [shaped(A, ELEMENT_COUNT_MAX), B, C, D],
    'a product beyond 2^53': [A, B, C, shaped(D, ...Array<number>(8).fill(UINT32_MAX))],
    'a product beyond 2^53, times zero': [A, B, shaped(C, ...Array<number>(7).fill(UINT32_MAX), 0), D],
    'sums beyond 2^53': [A, B, C, D].map((tensor) => shaped(tensor, UINT32_MAX, 2 ** 22)),
  };

  for (const [what, tensors] of Object.entries(HOSTILE)) {
    it(`is refused when it announces ${what}`, () => assertRefused({ ...HONEST, tensors }));
  }

  it('is refused when the weights it announces hold a part of the structure', () => {
    // The four bytes before the weights of d are its name and the length of its weights: as weights they are not sent.
    const cutAt = HONEST.graph.length - 4;
    const tensors = [A, B, C, { ...moved(D, -4), shape: [9] }];
    assertRefused({ ...HONEST, tensors, graph: HONEST.graph.subarray(0, cutAt) });
  });

  describe('that announces 2^28 weights', () => {
    /** Not to be run twice: what the first run took from the system and gave back would hide the second. */
    function assertFrugal(work: () => void): void {
      const growth = growthDuring(work);
      assert(growth.arrayBufferBytes < MIB, `${growth.arrayBufferBytes} bytes of buffers`);
      assert(growth.peakBytes < 4 * MIB, `${growth.peakBytes} bytes`);
    }

    it('is taken without memory for them when its graph has them', () => {
      const side = Math.sqrt(ELEMENT_COUNT_MAX);
      const message = messageOf({ name: 'a', shape: [side, side] });
      assertFrugal(() => assert.equal(receive(message).elementCount, ELEMENT_COUNT_MAX));
    });

    it('is refused without memory for them when its graph has fewer', () => {
      assertFrugal(() => assertRefused({ ...HONEST, tensors: [shaped(A, ELEMENT_COUNT_MAX - 9), B, C, D] }));
    });
  });
});
