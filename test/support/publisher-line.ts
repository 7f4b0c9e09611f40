/**
 * A publisher without a hub: a line of versions of the sum model, and every message about it, signed by whom a test
 * likes. Version v has the weights v, v, v.
 */
import { diffWeights } from '@freshet/protocol/delta';
import { encodeDeltaPayload } from '@freshet/protocol/delta-payload';
import { modelTag } from '@freshet/protocol/digest';
import {
  asAgentId,
  asWeightsVersion,
  type LineId,
  type ModelDigest,
  type Position,
  type Proof,
} from '@freshet/protocol/ids';
import type { DownstreamMessage, MessageNamed } from '@freshet/protocol/messages';
import { splitModel } from '@freshet/protocol/model';
import { SigningKey } from '@freshet/protocol/signature';
import {
  commandStatement,
  type Order,
  rotationStatement,
  versionStatement,
} from '@freshet/protocol/statements';
import { PROTOCOL_VERSION } from '@freshet/protocol/version';
import { sumModel } from './onnx-models.ts';
import { LINE, positionOf } from './tiny-model.ts';

type Message<Type extends DownstreamMessage['type']> = MessageNamed<DownstreamMessage, Type>;

export const AGENT = asAgentId('device');
export const { model: MODEL } = splitModel('sum', sumModel(1));

export const keyOf = (seed: number): SigningKey => SigningKey.fromSeed(Buffer.alloc(32, seed));

export const weightsOf = (version: number): Float32Array => new Float32Array(3).fill(version);

export const positionAt = (version: number): Position => positionOf(MODEL, version, weightsOf(version));

/** What a statement says, where a test wants it to differ from what the message says. */
export interface Said {
  readonly lineId: LineId;
  readonly modelDigest: ModelDigest;
  readonly position: Position;
}

export function proofBy(key: SigningKey | null, position: Position, said: Partial<Said> = {}): Proof {
  const {
    lineId,
    modelDigest,
    position: meant,
  } = { lineId: LINE, modelDigest: MODEL.digest, position, ...said };
  const signature = key === null ? null : key.sign(versionStatement(lineId, modelDigest, meant));
  return { root: position.root, signature };
}

export function welcomeOf(
  version: number,
  proof: Proof,
  change: Partial<Message<'welcome'>> = {},
): Message<'welcome'> {
  return {
    type: 'welcome',
    protocol: PROTOCOL_VERSION,
    modelId: MODEL.modelId,
    modelDigest: MODEL.digest,
    lineId: LINE,
    head: { version: asWeightsVersion(version), proof },
    heartbeatMs: 1000,
    rotations: [],
    ...change,
  };
}

/** `keys[i]` introduced by `keys[i − 1]`; the first is not in the list. */
export function rotationsOf(...keys: readonly SigningKey[]): Message<'welcome'>['rotations'] {
  return keys.slice(1).map((key, i) => rotationBy(keys[i]!, i + 1, key));
}

export function rotationBy(key: SigningKey, serial: number, next: SigningKey, lineId = LINE) {
  return {
    publicKey: next.publicKey,
    signature: key.sign(rotationStatement(lineId, serial, next.publicKey)),
  };
}

export function deltaOf(base: number, next: number, proof: Proof): Message<'delta'> {
  const [before, after] = [weightsOf(base), weightsOf(next)];
  return {
    type: 'delta',
    modelTag: modelTag(MODEL.digest),
    base: asWeightsVersion(base),
    span: next - base,
    proof,
    payload: encodeDeltaPayload(diffWeights(before, after), before, MODEL),
    trafficClass: 'live',
    traceparent: null,
  };
}

export function snapshotBeginOf(version: number, proof: Proof): Message<'snapshotBegin'> {
  return {
    type: 'snapshotBegin',
    version: asWeightsVersion(version),
    proof,
    firstChunk: 0,
  };
}

export const pinOf = (id: number, version: number): Order => ({
  id,
  action: 'pin',
  version: asWeightsVersion(version),
});

export function commandOf(
  order: Order,
  by: SigningKey | null,
  said: Partial<Order & { agentId: string; lineId: LineId }> = {},
): Message<'command'> {
  const { agentId = AGENT, lineId = LINE, ...changed } = said;
  const statement = commandStatement(lineId, asAgentId(agentId), { ...order, ...changed });
  return { type: 'command', ...order, signature: by === null ? null : by.sign(statement) };
}
