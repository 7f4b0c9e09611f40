/**
 * What a transfer costs on the wire, in closed form: MessagePack framing of our messages plus the header of the
 * WebSocket frame around each. It lets the hub compare ways to catch up without encoding any of them; a property test
 * holds it against the codec.
 *
 * https://github.com/msgpack/msgpack/blob/master/spec.md#formats, RFC 6455 §5.2
 */
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
  readonly signed: boolean;
  /** Number of the first chunk that is sent. */
  readonly firstChunk: number;
  /** Encoded length of each chunk that is sent, in order. */
  readonly chunkBytes: readonly number[];
}

/** Header that a server puts before a message of `messageBytes` (servers do not mask). */
export function webSocketHeaderBytes(messageBytes: number): number {
  if (messageBytes < 126) return 2;
  return messageBytes < 0x1_0000 ? 4 : 10;
}

/** Bytes of one delta message of class `catch-up`, which carries no trace, including its WebSocket header. */
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

/** Bytes of `snapshotBegin` and of the chunks behind it, each with its WebSocket header. */
export function snapshotWireBytes({ version, signed, firstChunk, chunkBytes }: SnapshotShape): number {
  const begin = onWire(
    MESSAGE_HEADER_BYTES + uintBytes(version) + proofBytes(signed) + uintBytes(firstChunk),
  );
  return chunkBytes.reduce((sum, bytes, i) => sum + chunkWireBytes(firstChunk + i, bytes), begin);
}

function chunkWireBytes(index: number, bytes: number): number {
  return onWire(MESSAGE_HEADER_BYTES + uintBytes(index) + binBytes(bytes));
}

/** Bytes of a message including its WebSocket header. */
export function onWire(messageBytes: number): number {
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
