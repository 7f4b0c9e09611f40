/** What a hub's `error` means to the agent. */
import { type ErrorCode, FreshetError } from '@freshet/protocol/errors';
import type { DownstreamMessage, MessageNamed } from '@freshet/protocol/messages';

/** What a hub may refuse a session for. A code this version does not know ends the session, to be tried again. */
const HUB_REFUSALS: readonly ErrorCode[] = [
  'FRAME_MALFORMED',
  'FRAME_TOO_LARGE',
  'PROTOCOL_UNSUPPORTED',
  'MESSAGE_UNEXPECTED',
  'MODEL_MISMATCH',
  'LINE_MISMATCH',
  'AGENT_REPLACED',
  'PEER_SILENT',
];

/** @throws FreshetError with the hub's reason: always */
export function failAsHub({ code, reason }: MessageNamed<DownstreamMessage, 'error'>): never {
  const known = HUB_REFUSALS.find((each) => each === code) ?? 'MESSAGE_UNEXPECTED';
  throw new FreshetError(known, `the hub says: ${reason}`);
}
