/** Arbitraries for every message of the protocol, drawn from their declared fields' domains. */
import {
  asLineId,
  asModelDigest,
  asRoot,
  asWeightsVersion,
  isAgentId,
  type Position,
} from '@freshet/protocol/ids';
import type { DownstreamMessage, UpstreamMessage } from '@freshet/protocol/messages';
import fc from 'fast-check';

const hex = (byteCount: number) =>
  fc
    .uint8Array({ minLength: byteCount, maxLength: byteCount })
    .map((bytes) => Buffer.from(bytes).toString('hex'));
const root = hex(32).map(asRoot);
const digest = hex(32).map(asModelDigest);
const line = hex(16).map(asLineId);
const uint32 = fc.integer({ min: 0, max: 0xffff_ffff });
const counter = fc.oneof(uint32, fc.maxSafeNat());
const version = counter.map((value) => asWeightsVersion(Math.max(1, value)));
const position: fc.Arbitrary<Position> = fc.record({ version, root });
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
);

export const downstreamMessage: fc.Arbitrary<DownstreamMessage> = fc.oneof(
  fc.record({
    type: fc.constant('welcome' as const),
    protocol: uint32,
    modelId: text,
    modelDigest: digest,
    lineId: line,
    head: position,
    heartbeatMs: fc.integer({ min: 0, max: 3_600_000 }),
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
    root,
    elementCount: fc.integer({ min: 0, max: 2 ** 28 }),
    chunkCount: uint32,
  }),
  fc.record({ type: fc.constant('snapshotChunk' as const), version, index: uint32, bytes }),
  fc.record({
    type: fc.constant('delta' as const),
    modelTag: uint32,
    base: version,
    next: version,
    root,
    payload: bytes,
  }),
  fc.record({
    type: fc.constant('command' as const),
    id: counter,
    action: fc.constantFrom('pin' as const, 'follow' as const),
    version: orNull(version),
  }),
  fc.record({ type: fc.constant('error' as const), code: text, reason: text }),
);
