/** What is refused before the MessagePack library sees it, and what that saves. */
import { strict as assert } from 'node:assert';
import { describe, it } from 'node:test';
import { downstreamCodec } from '@freshet/protocol/codec';
import { FreshetError } from '@freshet/protocol/errors';
import {
  DOWNSTREAM_FRAME_BYTES_MAX,
  MESSAGE_DEPTH_MAX,
  MESSAGE_ITEMS_MAX,
  NAME_BYTES_MAX,
  TENSOR_COUNT_MAX,
  TENSOR_RANK_MAX,
} from '@freshet/protocol/limits';
import { checkPlainMsgpack } from '@freshet/protocol/plain-msgpack';
import { growthDuring } from '../support/memory.ts';

const ARRAY_32 = 0xdd;
const EMPTY_ARRAY = 0x90;
const EMPTY_BYTES = [0xc4, 0x00];

const check = (hex: string, limits: { depthMax?: number; itemsMax?: number } = {}) =>
  checkPlainMsgpack(Buffer.from(hex.replaceAll(' ', ''), 'hex'), { depthMax: 5, itemsMax: 100, ...limits });

const isMalformed = (message: RegExp) => (error: unknown) =>
  error instanceof FreshetError && error.code === 'FRAME_MALFORMED' && message.test(error.message);

/** An array of `count` times `item`. */
function arrayOf(count: number, item: readonly number[]): Uint8Array {
  const frame = new Uint8Array(5 + count * item.length);
  new DataView(frame.buffer).setUint32(1, count);
  frame[0] = ARRAY_32;
  for (let at = 5; at < frame.length; at += item.length) frame.set(item, at);
  return frame;
}

describe('a message is refused', () => {
  it('with more items than there may be, counted over all arrays', () => {
    // [[1, 2], [3, [4]]]: the outermost array, two in it, two in each of these, one in the last.
    const nested = '92 92 01 02 92 03 91 04';
    check(nested, { itemsMax: 8 });
    assert.throws(() => check(nested, { itemsMax: 7 }), isMalformed(/more than 7 items/));
    check('90', { itemsMax: 1 });
    check('a0', { itemsMax: 1 });
    assert.throws(() => check('91 c0', { itemsMax: 1 }), isMalformed(/more than 1 items/));
    assert.throws(() => check('dc 0064', { itemsMax: 100 }), isMalformed(/more than 100 items/));
    assert.throws(() => check('dd ffffffff'), isMalformed(/more than 100 items/));
  });

  it('nested deeper than it may be', () => {
    check('91 91 91 c0', { depthMax: 3 });
    assert.throws(() => check('91 91 91 c0', { depthMax: 2 }), isMalformed(/nested too deeply/));
  });

  it('that ends too early, goes on, or holds what is not used', () => {
    for (const hex of ['', '91', '92 01', 'cd 01', 'a2 61', 'c4', 'c5 00', 'c6 00000001', 'dd 0000']) {
      assert.throws(() => check(hex), isMalformed(/ends too early/), hex);
    }
    assert.throws(() => check('01 01'), isMalformed(/bytes after the message/));
    assert.throws(() => check('91 ca 3f800000'), isMalformed(/type 0xca is not used/));
  });
});

describe('a document', () => {
  const checkDocument = (hex: string, limits: { depthMax?: number; itemsMax?: number } = {}) =>
    checkPlainMsgpack(
      Buffer.from(hex.replaceAll(' ', ''), 'hex'),
      { depthMax: 5, itemsMax: 100, ...limits },
      'document',
    );

  it('may hold what JSON can, and a message may not', () => {
    const values = {
      'negative fixint': 'ff',
      'int 8': 'd0 80',
      'int 16': 'd1 8000',
      'int 32': 'd2 80000000',
      'float 32': 'ca 3f800000',
      'float 64': 'cb 3ff0000000000000',
      fixmap: '81 a1 61 01',
      'map 16': 'de 0001 d9 01 61 01',
      'map 32': 'df 00000001 da 0001 61 01',
    };
    for (const [name, hex] of Object.entries(values)) {
      checkDocument(`92 ${hex} c0`);
      assert.throws(() => check(`92 ${hex} c0`), isMalformed(/is not used in the protocol/), name);
      assert.throws(() => checkDocument(`92 ${hex}`), isMalformed(/ends too early/), name);
    }
    checkDocument('93 01 c4 01 00 cf 0000000000000001');
  });

  it('is refused with keys that are no strings, extensions, and too much of anything', () => {
    for (const key of ['01', 'c0', '90', 'c4 01 61']) {
      assert.throws(() => checkDocument(`81 ${key} 01`), isMalformed(/a key of a map is not a string/));
    }
    for (const type of ['c1', 'c7', 'c8', 'c9', 'd4', 'd5', 'd6', 'd7', 'd8']) {
      const says = new RegExp(`type 0x${type} is not used here`);
      assert.throws(() => checkDocument(`${type}${'00'.repeat(20)}`), isMalformed(says));
    }
    checkDocument('82 a1 61 01 a1 62 02', { itemsMax: 5 });
    assert.throws(() => checkDocument('82 a1 61 01 a1 62 02', { itemsMax: 4 }), isMalformed(/more than 4/));
    assert.throws(() => checkDocument('df ffffffff'), isMalformed(/more than 100 items/));
    checkDocument('81 a1 61 91 c0', { depthMax: 2 });
    assert.throws(() => checkDocument('81 a1 61 91 c0', { depthMax: 1 }), isMalformed(/nested too deeply/));
  });
});

it('the largest legal message has fewer items than there may be: a model of all tensors there may be', () => {
  const tensor = {
    name: '',
    shape: new Array<number>(TENSOR_RANK_MAX).fill(2 ** 32 - 1),
    fileOffset: 2 ** 40,
  };
  const message = {
    type: 'model' as const,
    modelId: 'x'.repeat(NAME_BYTES_MAX),
    tensors: new Array<typeof tensor>(TENSOR_COUNT_MAX).fill(tensor),
    graph: new Uint8Array(16),
  };
  const frame = downstreamCodec.encode(message);
  assert.equal(downstreamCodec.decode(frame).type, 'model');
  // Message, number, id, list and graph; and of each tensor itself, name, shape, its dimensions and the offset.
  const itemCount = 5 + TENSOR_COUNT_MAX * (4 + TENSOR_RANK_MAX);
  const limits = { depthMax: MESSAGE_DEPTH_MAX, itemsMax: itemCount };
  checkPlainMsgpack(frame, limits);
  assert.throws(() => checkPlainMsgpack(frame, { ...limits, itemsMax: itemCount - 1 }), isMalformed(/items/));
  assert.ok(itemCount <= MESSAGE_ITEMS_MAX);
});

describe('a frame that is full of nothing', () => {
  const MEBIBYTE = 1024 * 1024;

  const refuse = (frame: Uint8Array, message: RegExp) =>
    growthDuring(() => assert.throws(() => downstreamCodec.decode(frame), isMalformed(message)));

  it('costs no memory where it has more items than a message', () => {
    const fifteen = [0x9f, ...new Array<number>(15).fill(EMPTY_ARRAY)];
    for (const item of [[EMPTY_ARRAY], fifteen]) {
      const frame = arrayOf(Math.floor((DOWNSTREAM_FRAME_BYTES_MAX - 5) / item.length), item);
      const { peakBytes } = refuse(frame, /more than 262144 items/);
      assert.ok(peakBytes < 8 * MEBIBYTE, `${peakBytes}`);
    }
  });

  it('costs little where it has as many items as a message may have', () => {
    for (const item of [[EMPTY_ARRAY], EMPTY_BYTES]) {
      const frame = arrayOf(MESSAGE_ITEMS_MAX - 1, item);
      const { peakBytes } = refuse(frame, /not an array that starts with a number/);
      assert.ok(peakBytes < 128 * MEBIBYTE, `${peakBytes}`);
    }
  });
});
