/** `messages.json`: frames of both directions. */
import { PROTOCOL_VERSION } from '@freshet/protocol/version';
import { acceptedFrames } from './message-accepted.ts';
import { invalidBytes } from './message-invalid-bytes.ts';
import { invalidFields } from './message-invalid-fields.ts';
import { validFrames } from './message-valid.ts';
import type { AcceptedFrame, InvalidFrame, ValidFrame } from './message-vector.ts';

export interface MessageVectors {
  readonly part: 'messages';
  readonly protocol: number;
  readonly valid: readonly ValidFrame[];
  readonly accepted: readonly AcceptedFrame[];
  readonly invalid: readonly InvalidFrame[];
}

export function messageVectors(): MessageVectors {
  return {
    part: 'messages',
    protocol: PROTOCOL_VERSION,
    valid: validFrames(),
    accepted: acceptedFrames(),
    invalid: [...invalidBytes(), ...invalidFields()],
  };
}
