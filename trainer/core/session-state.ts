/**
 * The hub's side of one session with an agent, as a pure state machine: what an event changes and what has to be done
 * about it. Sockets, timers and the log belong to the caller, who carries out the effects in order.
 *
 *   awaiting-hello ──hello──▶ live ──refusal, replacement, silence──▶ closing
 *          └───────────anything else, or nothing in time────────────────▲
 *
 * The log is the queue: a live session is a cursor into it (the last position sent) and the few transfers that are
 * not acknowledged yet. Nothing that is still to be sent is remembered anywhere.
 */
import { assert } from '@freshet/protocol/assert';
import { ERROR_TRAITS, type ErrorCode, FreshetError, isErrorCode } from '@freshet/protocol/errors';
import { negotiateProtocol } from '@freshet/protocol/handshake';
import type { AgentId, LineId, ModelDigest, Position, Root, WeightsVersion } from '@freshet/protocol/ids';
import type { MessageNamed, UpstreamMessage } from '@freshet/protocol/messages';

/** What the machine needs to know of the log and of the agents. */
export interface HubFacts {
  readonly modelDigest: ModelDigest;
  readonly lineId: LineId;
  readonly head: Position;
  /** Root of a version, or null when the log does not hold it (any more). */
  rootOf(version: WeightsVersion): Root | null;
  /** Whether the hub knows the agent or can take in one more. */
  hasRoomFor(agentId: AgentId): boolean;
}

export interface LiveState {
  readonly phase: 'live';
  readonly agentId: AgentId;
  /** Where the agent will be when it has taken everything sent so far; null when it has nothing. */
  readonly cursor: Position | null;
  /** Newest position that the agent has confirmed. */
  readonly confirmed: Position | null;
  /** Newest version that was sent in this session or that the agent brought along; 0 for none. */
  readonly newestSent: number;
  /** Versions that the unconfirmed transfers lead to, in the order they were sent. */
  readonly inFlight: readonly WeightsVersion[];
  /** Transfers refused since one was last confirmed. */
  readonly refusals: number;
  /** Transfers that were on their way behind a refused one, oldest first: they cannot fit either. */
  readonly doomed: readonly WeightsVersion[];
  /** Deltas were refused too often: the next transfer is a snapshot. */
  readonly snapshotDue: boolean;
  /** Answers so far to commands that the agent does not have open. */
  readonly strayAnswers: number;
}

export type SessionState = { readonly phase: 'awaiting-hello' } | LiveState | { readonly phase: 'closing' };

export type SessionEvent =
  | { readonly type: 'message'; readonly message: UpstreamMessage }
  /** Nothing was heard for as long as the phase allows. */
  | { readonly type: 'overdue' }
  /** The peer's bytes could not be read. */
  | { readonly type: 'unreadable'; readonly error: FreshetError }
  /** The same agent has connected again. */
  | { readonly type: 'replaced' }
  /** A transfer to `position` was handed to the socket completely. */
  | { readonly type: 'sent'; readonly position: Position }
  /** The answer just passed on was to no open command of the agent. */
  | { readonly type: 'stray-answer' };

/** What an agent says about itself; a field that a message does not carry is absent. */
export interface AgentReport {
  readonly software?: string;
  readonly head?: Position | null;
  readonly served?: Position | null;
  readonly pinned?: boolean;
  readonly bytesReceived?: number;
  readonly inferenceRequests?: number;
}

export type SessionEffect =
  /** Answer `hello`: register the session, send `welcome`, the model where it is lacking, and pending commands. */
  | {
      readonly type: 'admit';
      readonly agentId: AgentId;
      readonly protocol: number;
      readonly sendModel: boolean;
    }
  /** Take down what the agent said; `delivered` transfers were confirmed with it. */
  | { readonly type: 'report'; readonly report: AgentReport; readonly delivered: number }
  | {
      readonly type: 'answered';
      readonly commandId: number;
      readonly ok: boolean;
      readonly outcome: string;
    }
  | { readonly type: 'refused-by-agent'; readonly code: string; readonly reason: string }
  /** Give up the transfer in progress: it does not start where the agent is. */
  | { readonly type: 'abandon-transfer' }
  /** Send what the window allows. */
  | { readonly type: 'pump' }
  /** Send `error` and close with the close code of its table row. */
  | { readonly type: 'close'; readonly error: FreshetError };

export interface Transition {
  readonly state: SessionState;
  readonly effects: readonly SessionEffect[];
}

/** Unconfirmed transfers that may be under way to one agent. */
export const IN_FLIGHT_MAX = 64;

/** At this many refusals in a row a snapshot replaces the deltas; one more ends the session. */
const REFUSALS_BEFORE_SNAPSHOT = 3;

/** At this many the session ends. A proper agent may answer late, but hardly this often on one connection. */
const STRAY_ANSWERS_MAX = 8;

export const INITIAL_SESSION_STATE: SessionState = { phase: 'awaiting-hello' };

/** Whether another transfer may be started, as far as acknowledgements go. */
export function isWindowOpen(state: LiveState): boolean {
  return state.inFlight.length < IN_FLIGHT_MAX;
}

/** The next state and what to do. Total: every event is defined in every phase. */
export function stepSession(state: SessionState, event: SessionEvent, facts: HubFacts): Transition {
  switch (state.phase) {
    case 'awaiting-hello':
      return stepAwaitingHello(event, facts);
    case 'live':
      return stepLive(state, event, facts);
    case 'closing':
      return { state, effects: [] };
  }
}

function stepAwaitingHello(event: SessionEvent, facts: HubFacts): Transition {
  switch (event.type) {
    case 'message':
      if (event.message.type === 'hello') return greet(event.message, facts);
      return close('MESSAGE_UNEXPECTED', `the first message is hello, not ${event.message.type}`);
    case 'overdue':
      return close('PEER_SILENT', 'no hello in time');
    case 'unreadable':
      return closeWith(event.error);
    case 'replaced':
    case 'sent':
    case 'stray-answer':
      assert(false, `${event.type} before hello`);
  }
}

function stepLive(state: LiveState, event: SessionEvent, facts: HubFacts): Transition {
  switch (event.type) {
    case 'message':
      return takeMessage(state, event.message, facts);
    case 'overdue':
      return close('PEER_SILENT', 'no heartbeat in time');
    case 'unreadable':
      return closeWith(event.error);
    case 'replaced':
      return close('AGENT_REPLACED', `another connection says it is ${state.agentId}`);
    case 'sent':
      return {
        state: {
          ...state,
          cursor: event.position,
          newestSent: Math.max(state.newestSent, event.position.version),
          inFlight: [...state.inFlight, event.position.version],
          snapshotDue: false,
        },
        effects: [],
      };
    case 'stray-answer': {
      const strayAnswers = state.strayAnswers + 1;
      if (strayAnswers < STRAY_ANSWERS_MAX) return { state: { ...state, strayAnswers }, effects: [] };
      return close('MESSAGE_UNEXPECTED', `${strayAnswers} answers to commands that are not open`);
    }
  }
}

function greet(hello: MessageNamed<UpstreamMessage, 'hello'>, facts: HubFacts): Transition {
  let protocol: number;
  try {
    protocol = negotiateProtocol(hello);
  } catch (error) {
    if (error instanceof FreshetError) return closeWith(error);
    throw error;
  }
  if (hello.lineId !== null && hello.lineId !== facts.lineId) {
    return close(
      'LINE_MISMATCH',
      `the agent follows line ${hello.lineId}, this hub keeps line ${facts.lineId}: connect it to its own hub, or ` +
        'delete its store to take on this line',
    );
  }
  const sendModel = hello.modelDigest !== facts.modelDigest;
  if (sendModel && hello.head !== null) {
    return close(
      'MODEL_MISMATCH',
      "the agent holds weights of another model than this hub's: delete its store",
    );
  }
  const divergence = divergenceOf(hello.head, facts);
  if (divergence !== null) return close('LINE_MISMATCH', divergence);

  const { agentId, software, head, served, pinned } = hello;
  if (!facts.hasRoomFor(agentId)) {
    return close('NOT_READY', 'this hub knows as many agents as it can and takes in no new ones');
  }
  return {
    state: {
      phase: 'live',
      agentId,
      cursor: head,
      confirmed: head,
      newestSent: head?.version ?? 0,
      inFlight: [],
      refusals: 0,
      doomed: [],
      snapshotDue: false,
      strayAnswers: 0,
    },
    effects: [
      { type: 'admit', agentId, protocol, sendModel },
      { type: 'report', report: { software, head, served, pinned }, delivered: 0 },
      { type: 'pump' },
    ],
  };
}

/** Why weights at `head` cannot come from our line, or null when they can. */
function divergenceOf(head: Position | null, facts: HubFacts): string | null {
  if (head === null) return null;
  if (head.version > facts.head.version) {
    return (
      `the agent holds version ${head.version}, this hub's newest is ${facts.head.version}: the hub's log was ` +
      "replaced or restored from an old backup. Restore the newer log, or delete the agent's store"
    );
  }
  const root = facts.rootOf(head.version);
  if (root === null || root === head.root) return null;
  return `the agent's version ${head.version} has other weights than this hub's: delete the agent's store to start over`;
}

function takeMessage(state: LiveState, message: UpstreamMessage, facts: HubFacts): Transition {
  switch (message.type) {
    case 'hello':
      return close('MESSAGE_UNEXPECTED', 'hello is sent once');
    case 'ack':
      return takeReport(state, message, facts);
    case 'heartbeat':
      return takeReport(state, message, facts);
    case 'nack':
      return takeNack(state, message, facts);
    case 'commandResult': {
      const { id: commandId, ok, outcome } = message;
      return { state, effects: [{ type: 'answered', commandId, ok, outcome }] };
    }
  }
}

function takeReport(
  state: LiveState,
  message: MessageNamed<UpstreamMessage, 'ack' | 'heartbeat'>,
  facts: HubFacts,
): Transition {
  const { type: _, ...report } = message;
  const wrong = impossibleHead(state, message.head, facts);
  if (wrong !== null) return closeWith(wrong);
  const { state: next, delivered } = confirm(state, message.head);
  return { state: next, effects: [{ type: 'report', report, delivered }, { type: 'pump' }] };
}

/** The error for a head that the agent cannot have reached in this session, or null. */
function impossibleHead(state: LiveState, head: Position | null, facts: HubFacts): FreshetError | null {
  if (head === null) return null;
  if (head.version > state.newestSent) {
    return new FreshetError('MESSAGE_UNEXPECTED', `version ${head.version} was confirmed but not sent`);
  }
  const root = facts.rootOf(head.version);
  if (root === null || root === head.root) return null;
  return new FreshetError('ROOT_MISMATCH', `version ${head.version} was confirmed with other weights`);
}

/** Acknowledgements are cumulative: everything sent up to `head` has arrived. */
function confirm(state: LiveState, head: Position | null): { state: LiveState; delivered: number } {
  if (head === null || head.version <= (state.confirmed?.version ?? 0)) return { state, delivered: 0 };
  const inFlight = state.inFlight.filter((version) => version > head.version);
  // A transfer that was written off may have fitted after all.
  const cursor = head.version > (state.cursor?.version ?? 0) ? head : state.cursor;
  return {
    state: { ...state, cursor, confirmed: head, inFlight, refusals: 0, doomed: [] },
    delivered: state.inFlight.length - inFlight.length,
  };
}

function takeNack(
  state: LiveState,
  nack: MessageNamed<UpstreamMessage, 'nack'>,
  facts: HubFacts,
): Transition {
  const wrong = impossibleHead(state, nack.head, facts);
  if (wrong !== null) return closeWith(wrong);
  const effects: SessionEffect[] = [{ type: 'refused-by-agent', code: nack.code, reason: nack.reason }];

  const { state: confirmed, delivered } = confirm(state, nack.head);
  effects.push({ type: 'report', report: { head: nack.head }, delivered });
  // The agent holds the version and will not serve it: it needs no other way to the head.
  if (nack.head !== null && nack.head.version >= nack.rejected) return { state: confirmed, effects };
  if (isEcho(confirmed, nack)) {
    const doomed = confirmed.doomed.slice(confirmed.doomed.indexOf(nack.rejected) + 1);
    return { state: { ...confirmed, doomed }, effects };
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
      cursor: nack.head,
      confirmed: nack.head,
      inFlight: [],
      refusals,
      doomed: rejectedAt === -1 ? [] : confirmed.inFlight.slice(rejectedAt + 1),
      snapshotDue: refusals === REFUSALS_BEFORE_SNAPSHOT,
    },
    effects: [...effects, { type: 'abandon-transfer' }, { type: 'pump' }],
  };
}

/** Whether the refused transfer was sent before the hub knew of an earlier refusal, which it has dealt with since. */
function isEcho(state: LiveState, nack: MessageNamed<UpstreamMessage, 'nack'>): boolean {
  return nack.code === 'BASE_MISMATCH' && state.doomed.includes(nack.rejected);
}

function refusalCode(code: string): ErrorCode {
  return isErrorCode(code) && ERROR_TRAITS[code].closeCode !== null ? code : 'SNAPSHOT_MALFORMED';
}

function close(code: ErrorCode, reason: string): Transition {
  return closeWith(new FreshetError(code, reason));
}

function closeWith(error: FreshetError): Transition {
  return { state: { phase: 'closing' }, effects: [{ type: 'close', error }] };
}
