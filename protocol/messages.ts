/**
 * Every message of the protocol: one table, from which types, codec, limits and the wire-shape test follow.
 * The number is the first element of the MessagePack array; numbers are never reused.
 */
import * as field from './fields.ts';
import {
  DELTA_PAYLOAD_BYTES_MAX,
  FEEDBACK_RETRY_MS_MAX,
  FEEDBACK_RETRY_MS_MIN,
  FEEDBACK_SAMPLE_BYTES_MAX,
  FEEDBACK_SAMPLES_MAX,
  FRAME_BYTES_FLOOR,
  GRAPH_BYTES_MAX,
  HEARTBEAT_MS_MAX,
  HEARTBEAT_MS_MIN,
  KEY_ROTATIONS_MAX,
  NAME_BYTES_MAX,
  SNAPSHOT_CHUNK_BYTES,
  TENSOR_COUNT_MAX,
  TENSOR_RANK_MAX,
  TEXT_BYTES_MAX,
  VALUE_FORMATS_MAX,
} from './limits.ts';

const uint32 = field.uint(0xffff_ffff);
const counter = field.uint(Number.MAX_SAFE_INTEGER);
const name = field.text(NAME_BYTES_MAX);
const prose = field.text(TEXT_BYTES_MAX);

const position = field.tuple({ version: field.version, root: field.root });

/** A version with the proof of what it holds, for receivers that believe only the publisher. */
const provenPosition = field.tuple({ version: field.version, proof: field.proof });

/** The key after the one before it in the list, which has signed it. */
const rotation = field.tuple({ publicKey: field.publicKey, signature: field.signature });

/** Where one float32 initializer of the model lies. */
const tensor = field.tuple({
  name,
  shape: field.list(uint32, TENSOR_RANK_MAX),
  /** Position of its first byte in the complete ONNX file. */
  fileOffset: counter,
});

const sampleBytes = field.bytes(FEEDBACK_SAMPLE_BYTES_MAX);

/** A labelled sample of the format that `samples` has named. */
const labelledSample = field.tuple({
  /** The same each time that the agent sends it. */
  id: field.sampleId,
  /** Its elements, row by row: bytes, or little-endian float32. */
  input: sampleBytes,
  /** The class; or the vector as little-endian float32. */
  target: field.numberOrBytes(uint32, sampleBytes),
});

/** `live`: a publish as it happens. `catch-up`: on the way of an agent that lags. */
export const TRAFFIC_CLASSES = ['live', 'catch-up'] as const;
export type TrafficClass = (typeof TRAFFIC_CLASSES)[number];

/** From agent to hub. */
export const UPSTREAM = {
  /** First message of a session. What the agent holds; all null on a device that starts empty. */
  hello: {
    number: 1,
    /** Later versions add fields behind these and move none: a hub of any version can tell which ones an agent speaks. */
    open: true,
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
      /** Value formats of deltas that the agent decodes. It always decodes f32. */
      valueFormats: field.list(name, VALUE_FORMATS_MAX),
      /** Largest message that the agent takes. */
      frameBytesMax: field.uint(0xffff_ffff, FRAME_BYTES_FLOOR),
      /** A snapshot whose first `chunkCount` chunks came before an earlier connection broke. */
      partial: field.optional(field.tuple({ version: field.version, root: field.root, chunkCount: uint32 })),
      /** The agent collects labelled samples: it understands `samples` and `feedbackResult`. */
      feedback: field.trailing(field.flag, false),
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
  /** Labelled samples, at least once each. The next batch is sent after `feedbackResult`. */
  feedback: {
    number: 6,
    /** May be larger than a report. */
    bulk: true,
    fields: {
      /** Of the session, from 1. */
      batch: uint32,
      samples: field.list(labelledSample, FEEDBACK_SAMPLES_MAX, 1),
    },
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
      head: provenPosition,
      heartbeatMs: field.uint(HEARTBEAT_MS_MAX, HEARTBEAT_MS_MIN),
      /** All keys of the publisher after its first, oldest first. */
      rotations: field.list(rotation, KEY_ROTATIONS_MAX),
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
  /** All weights of `version` follow in chunks, from number `firstChunk` on. */
  snapshotBegin: {
    number: 18,
    fields: {
      version: field.version,
      proof: field.proof,
      firstChunk: uint32,
    },
  },
  snapshotChunk: {
    number: 19,
    fields: { index: uint32, bytes: field.bytes(SNAPSHOT_CHUNK_BYTES + 1) },
  },
  /** Takes weights of version `base` to version `base` + `span`; `span` > 1 when squashed. */
  delta: {
    number: 20,
    fields: {
      modelTag: field.uint(0x7f),
      base: field.version,
      span: field.uint(Number.MAX_SAFE_INTEGER, 1),
      proof: field.proof,
      payload: field.bytes(DELTA_PAYLOAD_BYTES_MAX),
      trafficClass: field.trailing(field.choice(...TRAFFIC_CLASSES), 'live'),
      traceparent: field.trailing(field.traceparent, null),
    },
  },
  /** Operator's order; answered by `commandResult`. `pin`: serve `version` and stay. `follow`: serve the head. */
  command: {
    number: 21,
    fields: {
      id: counter,
      action: field.word('pin', 'follow'),
      version: field.optional(field.version),
      signature: field.trailing(field.optional(field.signature), null),
    },
  },
  /** Why the hub closes the connection right after. */
  error: {
    number: 22,
    fields: { code: name, reason: prose },
  },
  /** What samples look like that the hub takes; from now on it takes `feedback`. Once in a session at most. */
  samples: {
    number: 23,
    fields: {
      /** Of one input, channels last. */
      inputShape: field.list(field.uint(0xffff_ffff, 1), TENSOR_RANK_MAX),
      inputType: field.choice('uint8', 'float32'),
      targetKind: field.choice('class', 'vector'),
      /** Classes, or elements of the vector. */
      targetCount: field.uint(0xffff_ffff, 1),
    },
  },
  /** What has become of the samples of a batch: all are settled, or none is and the agent keeps them. */
  feedbackResult: {
    number: 24,
    fields: {
      batch: uint32,
      /** Samples that are durable now. */
      taken: uint32,
      /** Samples that were so before. */
      duplicates: uint32,
      /** Samples that the hub will never take, by their place in the batch, ascending. */
      refused: field.list(field.tuple({ index: uint32, reason: name }), FEEDBACK_SAMPLES_MAX),
      /** Where none is settled: the agent offers them again after so long. */
      retryMs: field.optional(field.uint(FEEDBACK_RETRY_MS_MAX, FEEDBACK_RETRY_MS_MIN)),
    },
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
