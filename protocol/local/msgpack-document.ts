/** MessagePack bodies of HTTP requests: what JSON can say, and byte strings. */
import { Unpackr } from 'msgpackr';
import { FreshetError } from '../errors.ts';
import { checkPlainMsgpack, type PlainLimits } from '../plain-msgpack.ts';

const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true, int64AsType: 'number' });

/**
 * The value that `bytes` hold: maps as objects, byte strings as views on `bytes`, of any alignment.
 * @throws INPUT_INVALID; nothing else, whatever the bytes
 */
export function readMsgpackDocument(bytes: Uint8Array, limits: PlainLimits): unknown {
  try {
    checkPlainMsgpack(bytes, limits, 'document');
  } catch (cause) {
    if (!(cause instanceof FreshetError)) throw cause;
    const message = cause.message.replace(/^malformed message: /, '');
    throw new FreshetError('INPUT_INVALID', `the body is not plain MessagePack: ${message}`, { cause });
  }
  // On a view of its own, because msgpackr leaves a property on the object that it decodes.
  return unpackr.unpack(bytes.subarray());
}
