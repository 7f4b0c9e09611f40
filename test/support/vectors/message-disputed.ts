/**
 * Frames that no sender writes, and that a decoder may take or refuse: text that is no UTF-8. Libraries differ, and what
 * is read as U+FFFD does no harm. Only such text is here of which all that replace agree how often.
 */
import { type DisputedFrame, decodeFrame } from './message-vector.ts';
import { array, textOfBytes } from './msgpack-bytes.ts';
import { FRAMES } from './true-frames.ts';

export function disputedFrames(): DisputedFrame[] {
  return [
    withOutcome('text with a byte that is never in UTF-8', '61ff62'),
    withOutcome('text that starts inside a letter', '8061'),
    withOutcome('text that ends inside a letter', '61c3'),
    withOutcome('text of 40 bytes with one that is never in UTF-8', `${'61'.repeat(39)}ff`),
  ];
}

/** commandResult with these bytes as the text of its last field. */
function withOutcome(name: string, bytes: string): DisputedFrame {
  const [direction, items] = FRAMES['commandResult']!;
  const frame = array(items.with(-1, textOfBytes(bytes)));
  return { name, direction, frame, message: decodeFrame(direction, frame), code: 'FRAME_MALFORMED' };
}
