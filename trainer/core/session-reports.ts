/**
 * What a live session makes of the agent's reports: how far it has come, what it would not take, what it has carried
 * out.
 */
import { ERROR_TRAITS, type ErrorCode, FreshetError, isErrorCode } from '@freshet/protocol/errors';
import type { Position } from '@freshet/protocol/ids';
import type { MessageNamed, UpstreamMessage } from '@freshet/protocol/messages';
import { close, closeWith } from './session-close.ts';
import type {
  AdmittedState,
  HubFacts,
  LiveState,
  PreparingState,
  SessionEffect,
  Transition,
} from './session-state.ts';

/** At this many refusals in a row a snapshot replaces the deltas; one more ends the session. */
const REFUSALS_BEFORE_SNAPSHOT = 3;

/** At this many the session ends. A proper agent may answer late, but hardly this often on one connection. */
const STRAY_ANSWERS_MAX = 8;

export function takeReport(
  state: AdmittedState,
  message: MessageNamed<UpstreamMessage, 'ack' | 'heartbeat'>,
  facts: HubFacts,
): Transition {
  const { type: _, ...report } = message;
  const wrong = impossibleHead(state, message.head, facts);
  if (wrong !== null) return closeWith(wrong);
  const { state: next, delivered } = confirm(state, message.head);
  const effects: SessionEffect[] = [{ type: 'report', report, delivered }];
  return next.phase === 'live'
    ? { state: next, effects: [...effects, { type: 'pump' }] }
    : goOnPreparing(state, next, effects);
}

/** What is being made starts at the cursor: where that has moved, it is of no use any more. */
function goOnPreparing(
  before: AdmittedState,
  after: AdmittedState,
  effects: readonly SessionEffect[],
): Transition {
  if (after.phase === 'live' || after.cursor === before.cursor) return { state: after, effects };
  return {
    state: { ...after, phase: 'live' },
    effects: [...effects, { type: 'abandon-transfer' }, { type: 'pump' }],
  };
}

/** The error for a head that the agent cannot have reached in this session, or null. */
function impossibleHead(state: AdmittedState, head: Position | null, facts: HubFacts): FreshetError | null {
  if (head === null) return null;
  if (head.version > state.newestSent) {
    return new FreshetError('MESSAGE_UNEXPECTED', `version ${head.version} was confirmed but not sent`);
  }
  const root = facts.rootOf(head.version);
  if (root === null || root === head.root) return null;
  return new FreshetError('ROOT_MISMATCH', `version ${head.version} was confirmed with other weights`);
}

/** Acknowledgements are cumulative: everything sent up to `head` has arrived. */
function confirm(state: AdmittedState, head: Position | null): { state: AdmittedState; delivered: number } {
  if (head === null || head.version <= (state.confirmed?.version ?? 0)) return { state, delivered: 0 };
  const inFlight = state.inFlight.filter((version) => version > head.version);
  // A transfer that was written off may have fitted after all.
  const cursor = head.version > (state.cursor?.version ?? 0) ? head : state.cursor;
  return {
    state: { ...state, cursor, confirmed: head, inFlight, refusals: 0, doomed: [] },
    delivered: state.inFlight.length - inFlight.length,
  };
}

export function takeNack(
  state: AdmittedState,
  nack: MessageNamed<UpstreamMessage, 'nack'>,
  facts: HubFacts,
): Transition {
  const wrong = impossibleHead(state, nack.head, facts);
  if (wrong !== null) return closeWith(wrong);
  const effects: SessionEffect[] = [{ type: 'refused-by-agent', code: nack.code, reason: nack.reason }];

  const { state: confirmed, delivered } = confirm(state, nack.head);
  effects.push({ type: 'report', report: { head: nack.head }, delivered });
  // The agent holds the version and will not serve it: it needs no other way to the head.
  if (nack.head !== null && nack.head.version >= nack.rejected) {
    return goOnPreparing(state, confirmed, effects);
  }
  if (isEcho(confirmed, nack)) {
    const doomed = confirmed.doomed.slice(confirmed.doomed.indexOf(nack.rejected) + 1);
    return goOnPreparing(state, { ...confirmed, doomed }, effects);
  }

  const refusals = confirmed.refusals + 1;
  if (refusals > REFUSALS_BEFORE_SNAPSHOT) {
    const error = new FreshetError(
      refusalCode(nack.code),
      `the agent refused ${refusals} transfers in a row, a snapshot among them; the last one (${nack.code}): ${nack.reason}`,
    );
    return { state: { phase: 'closing' }, effects: [...effects, { type: 'close', error }] };
  }
  const rejectedAt = confirmed.inFlight.indexOf(nack.rejected);
  return {
    state: {
      ...confirmed,
      phase: 'live',
      cursor: nack.head,
      confirmed: nack.head,
      inFlight: [],
      refusals,
      partial: null,
      doomed: rejectedAt === -1 ? [] : confirmed.inFlight.slice(rejectedAt + 1),
      snapshotDue: refusals === REFUSALS_BEFORE_SNAPSHOT,
    },
    effects: [...effects, { type: 'abandon-transfer' }, { type: 'pump' }],
  };
}

/** Whether the refused transfer was sent before the hub knew of an earlier refusal, which it has dealt with since. */
function isEcho(state: AdmittedState, nack: MessageNamed<UpstreamMessage, 'nack'>): boolean {
  return nack.code === 'BASE_MISMATCH' && state.doomed.includes(nack.rejected);
}

function refusalCode(code: string): ErrorCode {
  return isErrorCode(code) && ERROR_TRAITS[code].closeCode !== null ? code : 'SNAPSHOT_MALFORMED';
}

/** A transfer to `position` was handed to the socket completely. */
export function takeSent(state: LiveState, position: Position): Transition {
  return {
    state: {
      ...state,
      cursor: position,
      newestSent: Math.max(state.newestSent, position.version),
      inFlight: [...state.inFlight, position.version],
      snapshotDue: false,
      partial: null,
    },
    effects: [],
  };
}

/** The transfer is made, or the agent has to wait for one. */
export function takePrepared(state: PreparingState, found: boolean): Transition {
  return { state: { ...state, phase: 'live' }, effects: found ? [{ type: 'pump' }] : [] };
}

export function takeAnswer(
  state: AdmittedState,
  { id: commandId, ok, outcome }: MessageNamed<UpstreamMessage, 'commandResult'>,
): Transition {
  return { state, effects: [{ type: 'answered', commandId, ok, outcome }] };
}

/** The answer just passed on was to no open command of the agent. */
export function takeStrayAnswer(state: AdmittedState): Transition {
  const strayAnswers = state.strayAnswers + 1;
  if (strayAnswers < STRAY_ANSWERS_MAX) return { state: { ...state, strayAnswers }, effects: [] };
  return close('MESSAGE_UNEXPECTED', `${strayAnswers} answers to commands that are not open`);
}
