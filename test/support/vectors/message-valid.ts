/** Frames that decode to a message, and that our encoder writes for it, byte for byte. */
import {
  asAgentId,
  asLineId,
  asModelDigest,
  asPublicKey,
  asRoot,
  asSampleId,
  asSignature,
  asWeightsVersion,
  type Position,
} from '@freshet/protocol/ids';
import { DOWNSTREAM_FRAME_BYTES_MAX, FRAME_BYTES_FLOOR } from '@freshet/protocol/limits';
import type { DownstreamMessage, MessageNamed, UpstreamMessage } from '@freshet/protocol/messages';
import { VALUE_FORMATS } from '@freshet/protocol/payload/value-format';
import { hexOf } from './hex.ts';
import { codecOf, type Direction, jsonOf, type ValidFrame } from './message-vector.ts';

/** Bytes that tell themselves apart: a, a + 1, a + 2, … */
const run = (first: number, count: number): string =>
  Array.from({ length: count }, (_, i) => ((first + i) & 0xff).toString(16).padStart(2, '0')).join('');

export const ROOT = asRoot(run(0x10, 32));
export const MODEL_DIGEST = asModelDigest(run(0x40, 32));
export const LINE_ID = asLineId(run(0xa0, 16));
export const SIGNATURE = asSignature(run(0x80, 64));
export const SAMPLE_ID = asSampleId(run(0xf0, 16));
const PUBLIC_KEY = asPublicKey(run(0xc0, 32));
/** 00, a trace id, a parent id, flags 01. */
export const TRACEPARENT = `00${run(0xd0, 16)}${run(0xe0, 8)}01`;

const at = (version: number): Position => ({ version: asWeightsVersion(version), root: ROOT });
const LARGEST = asWeightsVersion(Number.MAX_SAFE_INTEGER);

function frame(direction: Direction, name: string, message: UpstreamMessage | DownstreamMessage): ValidFrame {
  const codec = codecOf(direction) as { encode(message: UpstreamMessage | DownstreamMessage): Uint8Array };
  return { name, direction, frame: hexOf(codec.encode(message)), message: jsonOf(message) };
}

const up = (name: string, message: UpstreamMessage): ValidFrame => frame('up', name, message);
const down = (name: string, message: DownstreamMessage): ValidFrame => frame('down', name, message);

const EMPTY_HELLO: MessageNamed<UpstreamMessage, 'hello'> = {
  type: 'hello',
  protocolMin: 2,
  protocolMax: 2,
  agentId: asAgentId('a'),
  software: '',
  modelDigest: null,
  lineId: null,
  head: null,
  served: null,
  pinned: false,
  valueFormats: [],
  frameBytesMax: FRAME_BYTES_FLOOR,
  partial: null,
  feedback: false,
};

const DELTA: MessageNamed<DownstreamMessage, 'delta'> = {
  type: 'delta',
  modelTag: 64,
  base: asWeightsVersion(41),
  span: 1,
  proof: { root: ROOT, signature: null },
  payload: Uint8Array.of(0, 1, 0x69, 0x15, 0),
  trafficClass: 'live',
  traceparent: null,
};

export function validFrames(): ValidFrame[] {
  return [...fromAgents(), ...greetings(), ...snapshots(), ...deltas(), ...rest(), ...samples()];
}

function fromAgents(): ValidFrame[] {
  return [
    up('hello of a device that starts empty', EMPTY_HELLO),
    up('hello of a device that pins an old version and knows all formats', {
      ...EMPTY_HELLO,
      protocolMin: 1,
      protocolMax: 0xffff_ffff,
      agentId: asAgentId('Edge-7.lab_2'),
      software: 'freshet-agent 0.1.0 · größer',
      modelDigest: MODEL_DIGEST,
      lineId: LINE_ID,
      head: at(300),
      served: at(70_000),
      pinned: true,
      valueFormats: VALUE_FORMATS,
      frameBytesMax: DOWNSTREAM_FRAME_BYTES_MAX,
    }),
    up('hello with part of a snapshot', {
      ...EMPTY_HELLO,
      lineId: LINE_ID,
      modelDigest: MODEL_DIGEST,
      partial: { ...at(9), chunkCount: 128 },
    }),
    up('hello with the longest id', { ...EMPTY_HELLO, agentId: asAgentId(`Z${'9._-'.repeat(31)}zzz`) }),
    up('hello of a device that collects samples', { ...EMPTY_HELLO, feedback: true }),
    up('ack', { type: 'ack', head: at(42), served: at(42), pinned: false }),
    up('ack with nothing served, the largest version', {
      type: 'ack',
      head: { version: LARGEST, root: ROOT },
      served: null,
      pinned: true,
    }),
    up('nack', {
      type: 'nack',
      rejected: asWeightsVersion(43),
      head: at(42),
      code: 'ROOT_MISMATCH',
      reason: 'the weights that came out do not have the announced root',
    }),
    up('nack without a head, a code from the future, no reason', {
      type: 'nack',
      rejected: asWeightsVersion(1),
      head: null,
      code: 'NOT_YET_INVENTED',
      reason: '',
    }),
    up('heartbeat', {
      type: 'heartbeat',
      head: at(42),
      served: at(41),
      pinned: true,
      bytesReceived: 2 ** 32,
      inferenceRequests: 65_536,
    }),
    up('heartbeat of an empty device', {
      type: 'heartbeat',
      head: null,
      served: null,
      pinned: false,
      bytesReceived: 0,
      inferenceRequests: Number.MAX_SAFE_INTEGER,
    }),
    up('commandResult', { type: 'commandResult', id: 7, ok: true, outcome: 'pinned 40' }),
    up('commandResult of a failure, in letters of more than one byte', {
      type: 'commandResult',
      id: 2 ** 40,
      ok: false,
      outcome: 'Version 40 は保存されていない 🤷',
    }),
  ];
}

function greetings(): ValidFrame[] {
  const welcome: MessageNamed<DownstreamMessage, 'welcome'> = {
    type: 'welcome',
    protocol: 2,
    modelId: 'lenet5',
    modelDigest: MODEL_DIGEST,
    lineId: LINE_ID,
    head: { version: asWeightsVersion(42), proof: { root: ROOT, signature: null } },
    heartbeatMs: 5000,
    rotations: [],
  };
  return [
    down('welcome, unsigned', welcome),
    down('welcome, signed, after two rotations', {
      ...welcome,
      head: { version: asWeightsVersion(2 ** 33), proof: { root: ROOT, signature: SIGNATURE } },
      heartbeatMs: 3_600_000,
      rotations: [
        { publicKey: PUBLIC_KEY, signature: SIGNATURE },
        { publicKey: asPublicKey(ROOT), signature: SIGNATURE },
      ],
    }),
    down('welcome: the fastest heartbeats, no name', { ...welcome, modelId: '', heartbeatMs: 10 }),
    down('model without tensors and graph', {
      type: 'model',
      modelId: '',
      tensors: [],
      graph: new Uint8Array(0),
    }),
    down('model: a scalar, a matrix, a tensor without weights', {
      type: 'model',
      modelId: 'lenet5',
      tensors: [
        { name: 'bias', shape: [], fileOffset: 19 },
        { name: 'gewicht/größe', shape: [120, 84], fileOffset: 100 },
        { name: '', shape: [0, 0xffff_ffff], fileOffset: 2 ** 32 + 1 },
      ],
      graph: Uint8Array.of(8, 8, 0x3a, 0),
    }),
  ];
}

function snapshots(): ValidFrame[] {
  const begin: MessageNamed<DownstreamMessage, 'snapshotBegin'> = {
    type: 'snapshotBegin',
    version: asWeightsVersion(9),
    proof: { root: ROOT, signature: null },
    firstChunk: 0,
  };
  return [
    down('snapshotBegin, unsigned', begin),
    down('snapshotBegin, signed, going on at chunk 128', {
      ...begin,
      proof: { root: ROOT, signature: SIGNATURE },
      firstChunk: 128,
    }),
    down('snapshotChunk', { type: 'snapshotChunk', index: 0, bytes: Uint8Array.of(0, 0, 0, 0x80, 0x3f) }),
    down('snapshotChunk without bytes, the last number', {
      type: 'snapshotChunk',
      index: 0xffff_ffff,
      bytes: new Uint8Array(0),
    }),
  ];
}

function deltas(): ValidFrame[] {
  const signed = { root: ROOT, signature: SIGNATURE };
  return [
    down('delta, unsigned, live: both trailing fields are absent', DELTA),
    down('delta, signed', { ...DELTA, proof: signed }),
    down('delta, squashed, catch-up: the last field is absent', {
      ...DELTA,
      modelTag: 127,
      span: 199,
      trafficClass: 'catch-up',
    }),
    down('delta, live and traced: nothing is absent', { ...DELTA, traceparent: TRACEPARENT }),
    down('delta, signed, catch-up, traced, the largest numbers', {
      ...DELTA,
      base: LARGEST,
      span: LARGEST,
      proof: signed,
      payload: new Uint8Array(300).fill(0xa5),
      trafficClass: 'catch-up',
      traceparent: TRACEPARENT,
    }),
    down('delta without a payload', { ...DELTA, payload: new Uint8Array(0) }),
  ];
}

function rest(): ValidFrame[] {
  const pin = { type: 'command', id: 7, action: 'pin', version: asWeightsVersion(40) } as const;
  return [
    down('command: pin, unsigned', { ...pin, signature: null }),
    down('command: pin, signed', { ...pin, signature: SIGNATURE }),
    // Whether a version is due is not a matter of the frame.
    down('command: pin of no version', { ...pin, version: null, signature: null }),
    down('command: follow', {
      type: 'command',
      id: 2 ** 40,
      action: 'follow',
      version: null,
      signature: null,
    }),
    down('error', { type: 'error', code: 'LINE_MISMATCH', reason: 'the agent follows another line' }),
    down('error with the longest reason', { type: 'error', code: '', reason: 'ä'.repeat(2048) }),
  ];
}

function samples(): ValidFrame[] {
  const input = Uint8Array.of(0, 127, 255);
  const vector = new Uint8Array(Float32Array.of(0.5, -0, 1e-40).buffer);
  const result = {
    type: 'feedbackResult',
    batch: 1,
    taken: 2,
    duplicates: 0,
    refused: [],
    retryMs: null,
  } as const;
  return [
    up('feedback: a sample with a class', {
      type: 'feedback',
      batch: 1,
      samples: [{ id: SAMPLE_ID, input, target: 7 }],
    }),
    up('feedback: two samples with vectors, the largest number of a batch', {
      type: 'feedback',
      batch: 0xffff_ffff,
      samples: [
        { id: SAMPLE_ID, input: vector, target: vector },
        { id: asSampleId(run(0, 16)), input: new Uint8Array(300).fill(0x5a), target: vector },
      ],
    }),
    // Whether it fits the format is not a matter of the frame.
    up('feedback: no input, a class in 32 bits', {
      type: 'feedback',
      batch: 0,
      samples: [{ id: SAMPLE_ID, input: new Uint8Array(0), target: 0xffff_ffff }],
    }),
    down('samples: images of bytes with classes', {
      type: 'samples',
      inputShape: [28, 28, 1],
      inputType: 'uint8',
      targetKind: 'class',
      targetCount: 10,
    }),
    down('samples: a scalar of float32 with a vector', {
      type: 'samples',
      inputShape: [],
      inputType: 'float32',
      targetKind: 'vector',
      targetCount: 1,
    }),
    down('feedbackResult: all are taken', result),
    down('feedbackResult: one taken, one known, two refused', {
      ...result,
      batch: 300,
      taken: 1,
      duplicates: 1,
      refused: [
        { index: 0, reason: 'label is 10; it has to be an integer from 0 to 9' },
        { index: 255, reason: '' },
      ],
    }),
    down('feedbackResult: none is settled, to be sent again after an hour', {
      ...result,
      taken: 0,
      retryMs: 3_600_000,
    }),
  ];
}
