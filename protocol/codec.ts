/**
 * Messages to bytes and back. One WebSocket binary message holds one MessagePack array: [number, ...fields].
 */
import { Packr, Unpackr } from 'msgpackr';
import { FreshetError } from './errors.ts';
import type { Field } from './fields.ts';
import type { ProtocolRange } from './handshake.ts';
import {
  DOWNSTREAM_FRAME_BYTES_MAX,
  MESSAGE_DEPTH_MAX,
  MESSAGE_ITEMS_MAX,
  REPORT_FRAME_BYTES_MAX,
  UPSTREAM_FRAME_BYTES_MAX,
} from './limits.ts';
import { DOWNSTREAM, type DownstreamMessage, UPSTREAM, type UpstreamMessage } from './messages.ts';
import { checkPlainMsgpack } from './plain-msgpack.ts';

interface Shape {
  readonly number: number;
  readonly fields: Readonly<Record<string, Field<never>>>;
  /** More fields may follow: they are passed over. */
  readonly open?: true;
  /** May be as large as its direction allows. */
  readonly bulk?: true;
}

type Shapes = Readonly<Record<string, Shape>>;

const PLAIN_LIMITS = { depthMax: MESSAGE_DEPTH_MAX, itemsMax: MESSAGE_ITEMS_MAX };

const packr = new Packr({ useRecords: false });
const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true, int64AsType: 'number' });

/** The two directions, each with its own table and its own limits. */
export interface Codec<Message> {
  /** Encodes into a buffer of exactly the frame's length, owned by the caller. */
  encode(message: Message): Uint8Array<ArrayBuffer>;
  /**
   * Decodes one frame. Byte fields of the result are views on `frame`: copy what must outlive it.
   * @throws FRAME_TOO_LARGE, FRAME_MALFORMED; nothing else, whatever the bytes.
   */
  decode(frame: Uint8Array): Message;
}

export const upstreamCodec: Codec<UpstreamMessage> = makeCodec(
  UPSTREAM,
  UPSTREAM_FRAME_BYTES_MAX,
  REPORT_FRAME_BYTES_MAX,
);
export const downstreamCodec: Codec<DownstreamMessage> = makeCodec(
  DOWNSTREAM,
  DOWNSTREAM_FRAME_BYTES_MAX,
  DOWNSTREAM_FRAME_BYTES_MAX,
);

function makeCodec<Message extends { readonly type: string }>(
  shapes: unknown,
  frameBytesMax: number,
  /** Of a message that is not `bulk`. */
  reportBytesMax: number,
): Codec<Message> {
  // The tables are typed per message; the codec treats all messages alike, so the element types are given up here
  // and regained at the exported constants.
  const table = shapes as Shapes;
  const byNumber = new Map(Object.entries(table).map(([type, shape]) => [shape.number, { type, shape }]));

  return {
    encode(message) {
      const shape = table[message.type];
      if (shape === undefined) throw new TypeError(`no message is called ${message.type}`);
      const values = message as unknown as Readonly<Record<string, never>>;
      const packed = packr.pack([shape.number, ...writeFields(shape.fields, values)]);
      // Copied because msgpackr returns a view on a pooled buffer far larger than the frame.
      return new Uint8Array(packed);
    },

    decode(frame) {
      checkSize(frame, frameBytesMax);
      const values = unpackPlain(frame);
      if (!Array.isArray(values) || typeof values[0] !== 'number') {
        throw new FreshetError(
          'FRAME_MALFORMED',
          'malformed message: not an array that starts with a number',
        );
      }
      const known = byNumber.get(values[0]);
      if (known === undefined) {
        throw new FreshetError(
          'FRAME_MALFORMED',
          `malformed message: no message has the number ${values[0]}`,
        );
      }
      if (known.shape.bulk !== true) checkSize(frame, reportBytesMax);
      return readFields(known.type, known.shape, values) as unknown as Message;
    },
  };
}

/** @throws FRAME_TOO_LARGE */
function checkSize(frame: Uint8Array, bytesMax: number): void {
  if (frame.length <= bytesMax) return;
  throw new FreshetError('FRAME_TOO_LARGE', `a message of ${frame.length} bytes; the limit is ${bytesMax}`);
}

/** What one MessagePack value holds. @throws FRAME_MALFORMED */
function unpackPlain(frame: Uint8Array): unknown {
  checkPlainMsgpack(frame, PLAIN_LIMITS);
  // On a view of its own, because msgpackr leaves a property on the object that it decodes.
  return unpackr.unpack(frame.subarray());
}

/**
 * The versions that the agent speaks whose `hello` is in `frame`, whichever version's that is; null for anything else.
 * For a hub that cannot read the rest of it.
 */
export function protocolRangeOf(frame: Uint8Array): ProtocolRange | null {
  if (frame.length > REPORT_FRAME_BYTES_MAX) return null;
  try {
    const values = unpackPlain(frame);
    if (!Array.isArray(values) || values[0] !== UPSTREAM.hello.number) return null;
    const { protocolMin, protocolMax } = UPSTREAM.hello.fields;
    return {
      protocolMin: protocolMin.read(values[1], 'hello.protocolMin'),
      protocolMax: protocolMax.read(values[2], 'hello.protocolMax'),
    };
  } catch (error) {
    if (error instanceof FreshetError) return null;
    throw error;
  }
}

/** Up to the last field that says more than its absence would. */
function writeFields(
  fields: Readonly<Record<string, Field<never>>>,
  values: Readonly<Record<string, never>>,
): unknown[] {
  const entries = Object.entries(fields);
  while (entries.length > 0 && isAbsent(entries.at(-1)!, values)) entries.pop();
  return entries.map(([name, field]) => field.write(values[name] as never));
}

function isAbsent(
  [name, field]: readonly [string, Field<never>],
  values: Readonly<Record<string, never>>,
): boolean {
  return 'absent' in field && field.absent === values[name];
}

function readFields(
  type: string,
  { fields, open }: Shape,
  values: readonly unknown[],
): Record<string, unknown> {
  const entries = Object.entries(fields);
  const required = entries.filter(([, field]) => !('absent' in field)).length;
  if (values.length - 1 < required || (values.length - 1 > entries.length && open !== true)) {
    const due = required === entries.length ? `${required}` : `${required} to ${entries.length}`;
    throw new FreshetError(
      'FRAME_MALFORMED',
      `malformed message: ${type} has ${due} fields, not ${values.length - 1}`,
    );
  }
  const message: Record<string, unknown> = { type };
  entries.forEach(([name, field], i) => {
    const isPresent = i + 1 < values.length;
    message[name] =
      isPresent || !('absent' in field) ? field.read(values[i + 1], `${type}.${name}`) : field.absent;
  });
  return message;
}
