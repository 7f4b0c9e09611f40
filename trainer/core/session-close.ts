/** How a session ends because of the agent, or of what it asks for. */
import { type ErrorCode, FreshetError } from '@freshet/protocol/errors';
import type { Transition } from './session-state.ts';

export function close(code: ErrorCode, reason: string): Transition {
  return closeWith(new FreshetError(code, reason));
}

export function closeWith(error: FreshetError): Transition {
  return { state: { phase: 'closing' }, effects: [{ type: 'close', error }] };
}
