/** Arbitraries for every message of the protocol, drawn from their declared fields' domains. */
import {
  asLineId,
  asModelDigest,
  asPublicKey,
  asRoot,
  asSampleId,
  asSignature,
  asWeightsVersion,
  isAgentId,
  type Position,
  type Proof,
} from '@freshet/protocol/ids';
import { FRAME_BYTES_FLOOR } from '@freshet/protocol/limits';
import { type DownstreamMessage, TRAFFIC_CLASSES, type UpstreamMessage } from '@freshet/protocol/messages';
import { VALUE_FORMATS } from '@freshet/protocol/payload/value-format';
import fc from 'fast-check';

const hex = (byteCount: number) =>
  fc
    .uint8Array({ minLength: byteCount, maxLength: byteCount })
    .map((bytes) => Buffer.from(bytes).toString('hex'));
const root = hex(32).map(asRoot);
const digest = hex(32).map(asModelDigest);
const line = hex(16).map(asLineId);
const signature = hex(64).map(asSignature);
const uint32 = fc.integer({ min: 0, max: 0xffff_ffff });
const counter = fc.oneof(uint32, fc.maxSafeNat());
const version = counter.map((value) => asWeightsVersion(Math.max(1, value)));
const position: fc.Arbitrary<Position> = fc.record({ version, root });
const proof: fc.Arbitrary<Proof> = fc.record({ root, signature: fc.option(signature, { nil: null }) });
const traceparent = fc.option(hex(26), { nil: null });
const text = fc.string({ unit: 'grapheme', maxLength: 30 });
const agentId = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,20}$/).filter(isAgentId);
const bytes = fc.uint8Array({ maxLength: 64 });
const orNull = <Value>(value: fc.Arbitrary<Value>) => fc.option(value, { nil: null });

export const upstreamMessage: fc.Arbitrary<UpstreamMessage> = fc.oneof(
  fc.record({
    type: fc.constant('hello' as const),
    protocolMin: uint32,
    protocolMax: uint32,
    agentId,
    software: text,
    modelDigest: orNull(digest),
    lineId: orNull(line),
    head: orNull(position),
    served: orNull(position),
    pinned: fc.boolean(),
    valueFormats: fc.array(fc.oneof(fc.constantFrom(...VALUE_FORMATS), text), { maxLength: 8 }),
    frameBytesMax: fc.integer({ min: FRAME_BYTES_FLOOR, max: 0xffff_ffff }),
    partial: orNull(fc.record({ version, root, chunkCount: uint32 })),
    feedback: fc.boolean(),
  }),
  fc.record({
    type: fc.constant('ack' as const),
    head: position,
    served: orNull(position),
    pinned: fc.boolean(),
  }),
  fc.record({
    type: fc.constant('nack' as const),
    rejected: version,
    head: orNull(position),
    code: text,
    reason: text,
  }),
  fc.record({
    type: fc.constant('heartbeat' as const),
    head: orNull(position),
    served: orNull(position),
    pinned: fc.boolean(),
    bytesReceived: counter,
    inferenceRequests: counter,
  }),
  fc.record({ type: fc.constant('commandResult' as const), id: counter, ok: fc.boolean(), outcome: text }),
  fc.record({
    type: fc.constant('feedback' as const),
    batch: uint32,
    samples: fc.array(
      fc.record({ id: hex(16).map(asSampleId), input: bytes, target: fc.oneof(uint32, bytes) }),
      { minLength: 1, maxLength: 4 },
    ),
  }),
);

export const downstreamMessage: fc.Arbitrary<DownstreamMessage> = fc.oneof(
  fc.record({
    type: fc.constant('welcome' as const),
    protocol: uint32,
    modelId: text,
    modelDigest: digest,
    lineId: line,
    head: fc.record({ version, proof }),
    heartbeatMs: fc.integer({ min: 10, max: 3_600_000 }),
    rotations: fc.array(fc.record({ publicKey: hex(32).map(asPublicKey), signature }), { maxLength: 3 }),
  }),
  fc.record({
    type: fc.constant('model' as const),
    modelId: text,
    tensors: fc.array(
      fc.record({ name: text, shape: fc.array(uint32, { maxLength: 8 }), fileOffset: counter }),
      { maxLength: 5 },
    ),
    graph: bytes,
  }),
  fc.record({
    type: fc.constant('snapshotBegin' as const),
    version,
    proof,
    firstChunk: uint32,
  }),
  fc.record({ type: fc.constant('snapshotChunk' as const), index: uint32, bytes }),
  fc.record({
    type: fc.constant('delta' as const),
    modelTag: fc.nat({ max: 0x7f }),
    base: version,
    span: version,
    proof,
    payload: bytes,
    trafficClass: fc.constantFrom(...TRAFFIC_CLASSES),
    traceparent,
  }),
  fc.record({
    type: fc.constant('command' as const),
    id: counter,
    action: fc.constantFrom('pin' as const, 'follow' as const),
    version: orNull(version),
    signature: orNull(signature),
  }),
  fc.record({ type: fc.constant('error' as const), code: text, reason: text }),
  fc.record({
    type: fc.constant('samples' as const),
    inputShape: fc.array(fc.integer({ min: 1, max: 0xffff_ffff }), { maxLength: 8 }),
    inputType: fc.constantFrom('uint8' as const, 'float32' as const),
    targetKind: fc.constantFrom('class' as const, 'vector' as const),
    targetCount: fc.integer({ min: 1, max: 0xffff_ffff }),
  }),
  fc.record({
    type: fc.constant('feedbackResult' as const),
    batch: uint32,
    taken: uint32,
    duplicates: uint32,
    refused: fc.array(fc.record({ index: uint32, reason: text }), { maxLength: 4 }),
    retryMs: orNull(fc.integer({ min: 10, max: 3_600_000 })),
  }),
);
