/**
 * Every message of the protocol: one table, from which types, codec, limits and the wire-shape test follow.
 * The number is the first element of the MessagePack array; numbers are never reused.
 */
import * as field from './fields.ts';
import {
  DELTA_PAYLOAD_BYTES_MAX,
  ELEMENT_COUNT_MAX,
  GRAPH_BYTES_MAX,
  HEARTBEAT_MS_MAX,
  NAME_BYTES_MAX,
  SNAPSHOT_CHUNK_BYTES,
  TENSOR_COUNT_MAX,
  TENSOR_RANK_MAX,
  TEXT_BYTES_MAX,
} from './limits.ts';

const uint32 = field.uint(0xffff_ffff);
const counter = field.uint(Number.MAX_SAFE_INTEGER);
const name = field.text(NAME_BYTES_MAX);
const prose = field.text(TEXT_BYTES_MAX);

const position = field.tuple({ version: field.version, root: field.root });

/** Where one float32 initializer of the model lies. */
const tensor = field.tuple({
  name,
  shape: field.list(uint32, TENSOR_RANK_MAX),
  /** Position of its first byte in the complete ONNX file. */
  fileOffset: counter,
});

/** From agent to hub. */
export const UPSTREAM = {
  /** First message of a session. What the agent holds; all null on a device that starts empty. */
  hello: {
    number: 1,
    fields: {
      protocolMin: uint32,
      protocolMax: uint32,
      agentId: field.agentId,
      software: name,
      modelDigest: field.optional(field.modelDigest),
      lineId: field.optional(field.lineId),
      head: field.optional(position),
      served: field.optional(position),
      /** The agent serves a version that was chosen for it and does not follow the head. */
      pinned: field.flag,
    },
  },
  /** `head` is committed on the device and `served` answers requests. Cumulative: covers all earlier versions. */
  ack: {
    number: 2,
    fields: { head: position, served: field.optional(position), pinned: field.flag },
  },
  /** The agent could not take `rejected`, has changed nothing, and asks for the way from `head` to the hub's head. */
  nack: {
    number: 3,
    fields: { rejected: field.version, head: field.optional(position), code: name, reason: prose },
  },
  /** Sent at the interval that `welcome` names. */
  heartbeat: {
    number: 4,
    fields: {
      head: field.optional(position),
      served: field.optional(position),
      pinned: field.flag,
      /** Bytes read from the socket since the agent's process started. */
      bytesReceived: counter,
      inferenceRequests: counter,
    },
  },
  commandResult: {
    number: 5,
    fields: { id: counter, ok: field.flag, outcome: prose },
  },
} as const;

/** From hub to agent. */
export const DOWNSTREAM = {
  /** Answer to `hello`: the session stands. */
  welcome: {
    number: 16,
    fields: {
      protocol: uint32,
      modelId: name,
      modelDigest: field.modelDigest,
      lineId: field.lineId,
      head: position,
      heartbeatMs: field.uint(HEARTBEAT_MS_MAX),
    },
  },
  /** The ONNX file without its weights; sent before the snapshot to an agent that lacks it. */
  model: {
    number: 17,
    fields: {
      modelId: name,
      tensors: field.list(tensor, TENSOR_COUNT_MAX),
      graph: field.bytes(GRAPH_BYTES_MAX),
    },
  },
  /** All weights of one version follow in `chunkCount` chunks. */
  snapshotBegin: {
    number: 18,
    fields: {
      version: field.version,
      root: field.root,
      elementCount: field.uint(ELEMENT_COUNT_MAX),
      chunkCount: uint32,
    },
  },
  snapshotChunk: {
    number: 19,
    fields: { version: field.version, index: uint32, bytes: field.bytes(SNAPSHOT_CHUNK_BYTES) },
  },
  /** Takes weights of version `base` to version `next`, whose root is `root`. `next` > `base` + 1 when squashed. */
  delta: {
    number: 20,
    fields: {
      modelTag: uint32,
      base: field.version,
      next: field.version,
      root: field.root,
      payload: field.bytes(DELTA_PAYLOAD_BYTES_MAX),
    },
  },
  /** Operator's order; answered by `commandResult`. `pin`: serve `version` and stay. `follow`: serve the head. */
  command: {
    number: 21,
    fields: { id: counter, action: field.word('pin', 'follow'), version: field.optional(field.version) },
  },
  /** Why the hub closes the connection right after. */
  error: {
    number: 22,
    fields: { code: name, reason: prose },
  },
} as const;

type Table = Readonly<Record<string, { readonly number: number; readonly fields: Record<string, unknown> }>>;

/** A message of a table as a union discriminated by `type`. */
export type MessageOf<T extends Table> = {
  [Type in keyof T & string]: { readonly type: Type } & field.ValuesOf<T[Type]['fields']>;
}[keyof T & string];

export type UpstreamMessage = MessageOf<typeof UPSTREAM>;
export type DownstreamMessage = MessageOf<typeof DOWNSTREAM>;
export type MessageNamed<M extends { readonly type: string }, Type extends M['type']> = Extract<
  M,
  { readonly type: Type }
>;
