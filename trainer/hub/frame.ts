/**
 * Messages to agents as Buffers that many sockets can share. `ws` sends a Buffer of a server as it is, without a
 * copy: nobody may write to a frame after it was encoded.
 */
import { downstreamCodec } from '@freshet/protocol/codec';
import { modelTag } from '@freshet/protocol/digest';
import type { ModelDigest, Proof, WeightsVersion } from '@freshet/protocol/ids';
import type { DownstreamMessage, TrafficClass } from '@freshet/protocol/messages';

/** What a frame is accounted as. */
export type TrafficKind = 'delta' | 'squash' | 'snapshot' | 'other';

/** One message as the payload of a WebSocket frame: a new Buffer. */
export function encodeFrame(message: DownstreamMessage): Buffer {
  const bytes = downstreamCodec.encode(message);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

export interface DeltaFrame {
  readonly base: WeightsVersion;
  readonly next: WeightsVersion;
  /** Of `next`. */
  readonly proof: Proof;
  readonly payload: Uint8Array;
  readonly trafficClass: TrafficClass;
  /** W3C trace context of the publish, for who follows a version through all processes. */
  readonly traceparent: string | null;
}

export function encodeDeltaFrame(model: ModelDigest, delta: DeltaFrame): Buffer {
  const { base, next, proof, payload, trafficClass, traceparent } = delta;
  return encodeFrame({
    type: 'delta',
    modelTag: modelTag(model),
    base,
    span: next - base,
    proof,
    payload,
    trafficClass,
    traceparent,
  });
}
