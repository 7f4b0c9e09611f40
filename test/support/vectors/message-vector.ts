/** One entry of `messages.json`: types, and how frames and messages become JSON. */
import { type Codec, downstreamCodec, upstreamCodec } from '@freshet/protocol/codec';
import { type ErrorCode, FreshetError } from '@freshet/protocol/errors';
import type { DownstreamMessage, UpstreamMessage } from '@freshet/protocol/messages';
import { type BytesSpec, bytesOfSpec } from './bytes-spec.ts';
import { bytesOfHex, hexOf } from './hex.ts';

/** `up`: from agent to hub. */
export type Direction = 'up' | 'down';

/** A message by the names of PROTOCOL.md §2; byte strings in hex. */
export type JsonMessage = Readonly<Record<string, unknown>>;

interface Entry {
  readonly name: string;
  readonly direction: Direction;
  readonly frame: BytesSpec;
}

export type ValidFrame = Entry & { readonly message: JsonMessage };
/** Decodes to this; our encoder writes another frame. */
export type AcceptedFrame = ValidFrame;
export type InvalidFrame = Entry & {
  readonly code: ErrorCode;
  /** What our decoder says: not part of the protocol. */
  readonly reason: string;
};

/** Fields whose values are bytes in the code, if they are no numbers; digests, keys and signatures are hex there as well. */
const BYTES_FIELDS: ReadonlySet<string> = new Set(['graph', 'bytes', 'payload', 'input', 'target']);

export function codecOf(direction: Direction): Codec<UpstreamMessage> | Codec<DownstreamMessage> {
  return direction === 'up' ? upstreamCodec : downstreamCodec;
}

/** @throws FRAME_MALFORMED, FRAME_TOO_LARGE */
export function decodeFrame(direction: Direction, frame: BytesSpec): JsonMessage {
  return jsonOf(codecOf(direction).decode(bytesOfSpec(frame)));
}

/** The frame that our encoder writes for `message`. */
export function encodeFrame(direction: Direction, message: JsonMessage): string {
  // Checked by what comes out: a message that is none does not encode to the frame that it was decoded from.
  const codec = codecOf(direction) as Codec<unknown>;
  return hexOf(codec.encode(withBytes('', message)));
}

export function jsonOf(message: UpstreamMessage | DownstreamMessage): JsonMessage {
  return withHex(message) as JsonMessage;
}

function withHex(value: unknown): unknown {
  if (value instanceof Uint8Array) return hexOf(value);
  if (Array.isArray(value)) return value.map(withHex);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, withHex(each)]));
}

/** The inverse; `name` is that of the field with this value. */
function withBytes(name: string, value: unknown): unknown {
  if (typeof value === 'string') return BYTES_FIELDS.has(name) ? bytesOfHex(value) : value;
  if (Array.isArray(value)) return value.map((each) => withBytes(name, each));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, withBytes(key, each)]));
}

/** A decoder may take the frame for this message, or refuse it with this code. */
export type DisputedFrame = ValidFrame & { readonly code: ErrorCode };

/** The entry of a frame that the decoder refuses, with what it says. */
export function invalidFrame(direction: Direction, name: string, frame: BytesSpec): InvalidFrame {
  try {
    decodeFrame(direction, frame);
  } catch (error) {
    if (!(error instanceof FreshetError)) throw error;
    return { name, direction, frame, code: error.code, reason: error.message };
  }
  throw new TypeError(`"${name}" is not invalid`);
}
