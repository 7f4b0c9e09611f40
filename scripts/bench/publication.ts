/** The last publish of a trajectory, with everything that encoding and applying it needs. */
import { assert } from '@freshet/protocol/assert';
import { applyDelta, diffWeights, type SparseDelta } from '@freshet/protocol/delta';
import { decodeDeltaPayload, encodeDeltaPayload } from '@freshet/protocol/delta-payload';
import { asWeightsVersion, type Root, type Signature, type WeightsVersion } from '@freshet/protocol/ids';
import type { Model } from '@freshet/protocol/model';
import type { TensorValues } from '@freshet/protocol/payload/value-coder';
import type { ValueFormat } from '@freshet/protocol/payload/value-format';
import { webSocketHeaderBytes } from '@freshet/trainer/core/frame-bytes';
import { ShadowPublisher } from '@freshet/trainer/core/shadow-publisher';
import { encodeDeltaFrame } from '@freshet/trainer/hub/frame';
import type { Trajectory } from './trajectory.ts';

/** Version of a trajectory's initial weights: numbers of a line that has lived for some hours take two bytes. */
export const FIRST_VERSION = asWeightsVersion(10_000);

export interface LastPublication {
  readonly model: Model;
  /** What receivers hold before. */
  readonly base: Float32Array;
  readonly baseVersion: WeightsVersion;
  readonly delta: SparseDelta;
  readonly values: readonly TensorValues[];
  readonly payload: Uint8Array;
  /** Of the weights after `delta`. */
  readonly root: Root;
}

/** Follows `trajectory` with the trainer's publisher, every tensor in `format`, and takes the last publish apart. */
export function lastPublication(
  { model, initial, trained }: Trajectory,
  density: number,
  format: ValueFormat,
): LastPublication {
  const formats = model.tensors.map(() => format);
  const publisher = new ShadowPublisher(initial, model, { density, formats });
  const base = initial.slice();
  let baseVersion = FIRST_VERSION;
  for (const weights of trained.slice(0, -1)) {
    baseVersion = asWeightsVersion(baseVersion + 1);
    const { payload } = publisher.publish(weights, baseVersion);
    applyDelta(base, decodeDeltaPayload(payload, base, model));
  }
  const last = trained.at(-1);
  assert(last !== undefined, 'a trajectory has a step');
  const { payload, root, delta, values } = publisher.publish(last, asWeightsVersion(baseVersion + 1));
  const encoded = encodeDeltaPayload(delta, base, model, values);
  assert(Buffer.compare(encoded, payload) === 0, 'the base is the one that the publisher has sent it for');
  return { model, base, baseVersion, delta, values, payload, root };
}

/** The weights after `publication`: a new array. */
export function weightsAfter({ base, delta }: LastPublication): Float32Array {
  const next = base.slice();
  applyDelta(next, delta);
  assert(
    diffWeights(base, next).indices.length === delta.indices.length,
    'a delta holds nothing but changes',
  );
  return next;
}

/** The whole delta message with `payload` in it. */
export function messageOf(
  { model, baseVersion, root }: Pick<LastPublication, 'model' | 'baseVersion' | 'root'>,
  payload: Uint8Array,
  signature: Signature | null,
): Buffer {
  const next = asWeightsVersion(baseVersion + 1);
  const proof = { root, signature };
  return encodeDeltaFrame(model.digest, {
    base: baseVersion,
    next,
    proof,
    payload,
    trafficClass: 'live',
    traceparent: null,
  });
}

/** What `message` takes up on a connection: the header of its WebSocket frame counts. */
export function wireBytesOf(message: Uint8Array): number {
  return webSocketHeaderBytes(message.length) + message.length;
}
