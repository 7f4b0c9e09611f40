/** What arrived on an agent's socket, as an event for its session: bytes that are no message are one as well. */
import { assert } from '@freshet/protocol/assert';
import { protocolRangeOf, upstreamCodec } from '@freshet/protocol/codec';
import { FreshetError } from '@freshet/protocol/errors';
import { negotiateProtocol } from '@freshet/protocol/handshake';
import type { RawData } from 'ws';
import type { SessionEvent } from '../core/session-state.ts';

export function readEvent(data: RawData, isBinary: boolean): SessionEvent {
  if (!isBinary) {
    const error = new FreshetError('FRAME_MALFORMED', 'malformed message: text; messages are binary');
    return { type: 'unreadable', error };
  }
  assert(Buffer.isBuffer(data), 'ws hands out Buffers by default');
  try {
    return { type: 'message', message: upstreamCodec.decode(data) };
  } catch (error) {
    if (error instanceof FreshetError) return { type: 'unreadable', error: unsupportedHello(data) ?? error };
    throw error;
  }
}

/** Why no version of the protocol can be agreed on with the agent whose `hello` this is; null if it is none, or could. */
function unsupportedHello(data: Buffer): FreshetError | null {
  const range = protocolRangeOf(data);
  if (range === null) return null;
  try {
    negotiateProtocol(range);
    return null;
  } catch (error) {
    if (error instanceof FreshetError) return error;
    throw error;
  }
}
