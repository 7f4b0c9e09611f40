/** One true frame of each message, item by item, for making wrong ones of it. */
import { FRAME_BYTES_FLOOR } from '@freshet/protocol/limits';
import { LINE_ID, MODEL_DIGEST, ROOT, SAMPLE_ID, SIGNATURE, TRACEPARENT } from './message-valid.ts';
import { type Direction, type InvalidFrame, invalidFrame } from './message-vector.ts';
import { array, bin, bool, nil, str, uint } from './msgpack-bytes.ts';

/** A position. */
export const head = array([uint(42), bin(ROOT)]);
const sample = array([bin(SAMPLE_ID), bin('007f'), uint(7)]);
const tensor = array([str('bias'), array([uint(6)]), uint(19)]);

/** One true frame of each message, number first, and the names of its fields. */
export const FRAMES: Readonly<Record<string, readonly [Direction, readonly string[], readonly string[]]>> = {
  hello: [
    'up',
    [
      uint(1),
      uint(2),
      uint(2),
      str('a'),
      str(''),
      nil,
      nil,
      nil,
      nil,
      bool(false),
      array([]),
      uint(FRAME_BYTES_FLOOR),
      nil,
      bool(true),
    ],
    [
      'protocolMin',
      'protocolMax',
      'agentId',
      'software',
      'modelDigest',
      'lineId',
      'head',
      'served',
      'pinned',
      'valueFormats',
      'frameBytesMax',
      'partial',
      'feedback',
    ],
  ],
  ack: ['up', [uint(2), head, nil, bool(false)], ['head', 'served', 'pinned']],
  nack: ['up', [uint(3), uint(43), nil, str(''), str('')], ['rejected', 'head', 'code', 'reason']],
  heartbeat: [
    'up',
    [uint(4), nil, nil, bool(false), uint(0), uint(0)],
    ['head', 'served', 'pinned', 'bytesReceived', 'inferenceRequests'],
  ],
  commandResult: ['up', [uint(5), uint(7), bool(true), str('')], ['id', 'ok', 'outcome']],
  feedback: ['up', [uint(6), uint(1), array([sample])], ['batch', 'samples']],
  welcome: [
    'down',
    [uint(16), uint(2), str('m'), bin(MODEL_DIGEST), bin(LINE_ID), head, uint(5000), array([])],
    ['protocol', 'modelId', 'modelDigest', 'lineId', 'head', 'heartbeatMs', 'rotations'],
  ],
  model: ['down', [uint(17), str('m'), array([tensor]), bin('0808')], ['modelId', 'tensors', 'graph']],
  snapshotBegin: ['down', [uint(18), uint(9), bin(ROOT), uint(0)], ['version', 'proof', 'firstChunk']],
  snapshotChunk: ['down', [uint(19), uint(0), bin('00')], ['index', 'bytes']],
  delta: [
    'down',
    [uint(20), uint(64), uint(41), uint(1), bin(ROOT), bin('0000'), uint(0), bin(TRACEPARENT)],
    ['modelTag', 'base', 'span', 'proof', 'payload', 'trafficClass', 'traceparent'],
  ],
  command: [
    'down',
    [uint(21), uint(7), str('pin'), uint(40), bin(SIGNATURE)],
    ['id', 'action', 'version', 'signature'],
  ],
  error: ['down', [uint(22), str(''), str('')], ['code', 'reason']],
  samples: [
    'down',
    [uint(23), array([uint(28), uint(28)]), uint(0), uint(0), uint(10)],
    ['inputShape', 'inputType', 'targetKind', 'targetCount'],
  ],
  feedbackResult: [
    'down',
    [uint(24), uint(1), uint(0), uint(0), array([array([uint(0), str('')])]), nil],
    ['batch', 'taken', 'duplicates', 'refused', 'retryMs'],
  ],
};

/** The true frame of `type` with `field` as `hex` says. */
function withField(type: string, field: string, hex: string): { direction: Direction; frame: string } {
  const [direction, items, names] = FRAMES[type]!;
  const at = names.indexOf(field);
  if (at < 0) throw new TypeError(`${type} has no field ${field}`);
  return { direction, frame: array(items.with(at + 1, hex)) };
}

export function wrongField(type: string, field: string, what: string, hex: string): InvalidFrame {
  const { direction, frame } = withField(type, field, hex);
  return invalidFrame(direction, `${type}.${field}: ${what}`, frame);
}
