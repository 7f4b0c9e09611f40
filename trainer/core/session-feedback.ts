/**
 * What a live session makes of labelled samples: an agent may send a batch once it knows what the hub takes, and the next
 * one once the last is answered. So a session never has more than one batch in the hub's memory.
 */
import type { MessageNamed, UpstreamMessage } from '@freshet/protocol/messages';
import { close } from './session-close.ts';
import type { AdmittedState, FeedbackResult, Transition } from './session-state.ts';

/** Whether an agent may send samples. */
export type FeedbackState =
  /** It does not know how. */
  | 'unsupported'
  /** It does not know yet what the hub takes. */
  | 'closed'
  | 'open'
  /** A batch is under way. */
  | 'busy';

/** The hub has begun to take samples. */
export function takeIntake(state: AdmittedState): Transition {
  if (state.feedback === 'unsupported') return { state, effects: [] };
  return { state: { ...state, feedback: 'open' }, effects: [{ type: 'announce-samples' }] };
}

export function takeFeedback(
  state: AdmittedState,
  { batch, samples }: MessageNamed<UpstreamMessage, 'feedback'>,
): Transition {
  switch (state.feedback) {
    case 'open':
      return {
        state: { ...state, feedback: 'busy' },
        effects: [{ type: 'take-samples', batch, samples }],
      };
    case 'busy':
      return close('MESSAGE_UNEXPECTED', 'a batch of samples was sent before the last one was answered');
    default:
      return close('MESSAGE_UNEXPECTED', 'samples were sent before the hub has said what it takes');
  }
}

/** It is known what has become of the batch under way. */
export function takeSettled(state: AdmittedState, result: FeedbackResult): Transition {
  return { state: { ...state, feedback: 'open' }, effects: [{ type: 'answer-feedback', result }] };
}
