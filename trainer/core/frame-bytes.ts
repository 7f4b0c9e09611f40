/**
 * What a transfer costs on the wire, in closed form: MessagePack framing of our messages plus the header of the
 * WebSocket frame around each. It lets the hub compare ways to catch up without encoding any of them; a property test
 * holds it against the codec.
 *
 * https://github.com/msgpack/msgpack/blob/master/spec.md#formats, RFC 6455 §5.2
 */
import { SNAPSHOT_CHUNK_BYTES } from '@freshet/protocol/limits';

const ROOT_BYTES = 32;
const SIGNATURE_BYTES = 64;
/** Every message is an array of at most 15 fields: one byte. The message number is below 128: one byte. */
const MESSAGE_HEADER_BYTES = 2;
const MODEL_TAG_BYTES = 1;
const TRAFFIC_CLASS_BYTES = 1;

export interface DeltaFrameShape {
  readonly base: number;
  readonly next: number;
  readonly payloadBytes: number;
  readonly signed: boolean;
}

export interface SnapshotShape {
  readonly version: number;
  readonly elementCount: number;
  readonly signed: boolean;
}

/** Header that a server puts before a message of `messageBytes` (servers do not mask). */
export function webSocketHeaderBytes(messageBytes: number): number {
  if (messageBytes < 126) return 2;
  return messageBytes < 0x1_0000 ? 4 : 10;
}

/** Bytes of one delta message of class `catch-up` including its WebSocket header. */
export function deltaWireBytes({ base, next, payloadBytes, signed }: DeltaFrameShape): number {
  return onWire(
    MESSAGE_HEADER_BYTES +
      MODEL_TAG_BYTES +
      uintBytes(base) +
      uintBytes(next - base) +
      proofBytes(signed) +
      binBytes(payloadBytes) +
      TRAFFIC_CLASS_BYTES,
  );
}

/** Number of chunks that the weights of a model of `elementCount` weights travel in. */
export function snapshotChunkCount(elementCount: number): number {
  return Math.max(1, Math.ceil((elementCount * Float32Array.BYTES_PER_ELEMENT) / SNAPSHOT_CHUNK_BYTES));
}

/** Bytes of `snapshotBegin` and all chunks, each with its WebSocket header. */
export function snapshotWireBytes({ version, elementCount, signed }: SnapshotShape): number {
  const chunkCount = snapshotChunkCount(elementCount);
  let bytes = onWire(MESSAGE_HEADER_BYTES + uintBytes(version) + proofBytes(signed) + uintBytes(0));
  let rest = elementCount * Float32Array.BYTES_PER_ELEMENT;
  for (let index = 0; index < chunkCount; index++) {
    const chunkBytes = Math.min(rest, SNAPSHOT_CHUNK_BYTES);
    bytes += onWire(MESSAGE_HEADER_BYTES + uintBytes(index) + binBytes(chunkBytes));
    rest -= chunkBytes;
  }
  return bytes;
}

function onWire(messageBytes: number): number {
  return webSocketHeaderBytes(messageBytes) + messageBytes;
}

function proofBytes(signed: boolean): number {
  return binBytes(ROOT_BYTES + (signed ? SIGNATURE_BYTES : 0));
}

function uintBytes(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x100) return 2;
  if (value < 0x1_0000) return 3;
  return value <= 0xffff_ffff ? 5 : 9;
}

function binBytes(length: number): number {
  if (length < 0x100) return 2 + length;
  return length < 0x1_0000 ? 3 + length : 5 + length;
}
