/** `messages.json`: frames of both directions. */
import { PROTOCOL_VERSION } from '@freshet/protocol/version';
import { acceptedFrames } from './message-accepted.ts';
import { disputedFrames } from './message-disputed.ts';
import { invalidBytes } from './message-invalid-bytes.ts';
import { invalidFields } from './message-invalid-fields.ts';
import { validFrames } from './message-valid.ts';
import type { AcceptedFrame, DisputedFrame, InvalidFrame, ValidFrame } from './message-vector.ts';

export interface MessageVectors {
  readonly part: 'messages';
  readonly protocol: number;
  readonly valid: readonly ValidFrame[];
  readonly accepted: readonly AcceptedFrame[];
  readonly disputed: readonly DisputedFrame[];
  readonly invalid: readonly InvalidFrame[];
}

export function messageVectors(): MessageVectors {
  return {
    part: 'messages',
    protocol: PROTOCOL_VERSION,
    valid: validFrames(),
    accepted: acceptedFrames(),
    disputed: disputedFrames(),
    invalid: [...invalidBytes(), ...invalidFields()],
  };
}
