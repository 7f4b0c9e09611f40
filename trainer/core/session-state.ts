/**
 * The hub's side of one session with an agent, as a pure state machine: what an event changes and what has to be done
 * about it. Sockets, timers and the log belong to the caller, who carries out the effects in order.
 *
 *   awaiting-hello ──hello──▶ live ◀──a way is made──▶ preparing
 *          │                   └──refusal, replacement, silence──┘
 *          └────anything else, or nothing in time────▶ closing ◀┘
 *
 * TABLE says what every event does in every phase, and the compiler demands every cell; PROTOCOL.md prints it.
 *
 * The log is the queue: a live session is a cursor into it (the last position sent) and the few transfers that are
 * not acknowledged yet. Nothing that is still to be sent is remembered anywhere.
 */
import { assert } from '@freshet/protocol/assert';
import type { FreshetError } from '@freshet/protocol/errors';
import type { Capabilities } from '@freshet/protocol/handshake';
import type { AgentId, LineId, ModelDigest, Position, Root, WeightsVersion } from '@freshet/protocol/ids';
import type { DownstreamMessage, MessageNamed, UpstreamMessage } from '@freshet/protocol/messages';
import { close, closeWith } from './session-close.ts';
import { type FeedbackState, takeFeedback, takeIntake, takeSettled } from './session-feedback.ts';
import { greet } from './session-greeting.ts';
import {
  takeAnswer,
  takeNack,
  takePrepared,
  takeReport,
  takeSent,
  takeStrayAnswer,
} from './session-reports.ts';

/** What the machine needs to know of the log and of the agents. */
export interface HubFacts {
  readonly modelDigest: ModelDigest;
  readonly lineId: LineId;
  readonly head: Position;
  /** Size of the message with the model. */
  readonly modelFrameBytes: number;
  /** Whether it is known what samples look like, so that agents may send some. */
  readonly takesSamples: boolean;
  /** Root of a version, or null when the log does not hold it (any more). */
  rootOf(version: WeightsVersion): Root | null;
  /** Whether the hub knows the agent or can take in one more. */
  hasRoomFor(agentId: AgentId): boolean;
}

/** What an agent has kept of a snapshot of `version`: the first `chunkCount` chunks. */
export type PartialSnapshot = NonNullable<MessageNamed<UpstreamMessage, 'hello'>['partial']>;

export type FeedbackResult = MessageNamed<DownstreamMessage, 'feedbackResult'>;

interface Admitted<P extends 'live' | 'preparing'> {
  readonly phase: P;
  readonly agentId: AgentId;
  readonly capabilities: Capabilities;
  /** Kept by the agent from an earlier session; null once a transfer was sent or refused in this one. */
  readonly partial: PartialSnapshot | null;
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
  readonly feedback: FeedbackState;
}

export type LiveState = Admitted<'live'>;

/** The way from the cursor is being made: no transfer is sent until it is there, all else goes on. */
export type PreparingState = Admitted<'preparing'>;

export type AdmittedState = LiveState | PreparingState;

export type SessionState =
  | { readonly phase: 'awaiting-hello' }
  | AdmittedState
  | { readonly phase: 'closing' };

export type SessionEvent =
  | { readonly type: 'message'; readonly message: UpstreamMessage }
  /** Nothing was heard for as long as the phase allows. */
  | { readonly type: 'overdue' }
  /** The peer's bytes could not be read. */
  | { readonly type: 'unreadable'; readonly error: FreshetError }
  /** The same agent has connected again. */
  | { readonly type: 'replaced' }
  /** The next transfer takes a while to make. */
  | { readonly type: 'preparing' }
  /** It is made; `found` is false where the agent has to wait for others to finish theirs. */
  | { readonly type: 'prepared'; readonly found: boolean }
  /** A transfer to `position` was handed to the socket completely. */
  | { readonly type: 'sent'; readonly position: Position }
  /** The answer just passed on was to no open command of the agent. */
  | { readonly type: 'stray-answer' }
  /** The hub has begun to take samples. */
  | { readonly type: 'intake-open' }
  /** The batch of samples under way is in the log, or cannot be taken now. */
  | { readonly type: 'settled'; readonly result: FeedbackResult };

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
  /** Tell the agent what samples look like. */
  | { readonly type: 'announce-samples' }
  /** Take the samples, and say what has become of them with `settled`. Their bytes are those of the frame. */
  | { readonly type: 'take-samples'; readonly batch: number; readonly samples: FeedbackSamples }
  | { readonly type: 'answer-feedback'; readonly result: FeedbackResult }
  | { readonly type: 'refused-by-agent'; readonly code: string; readonly reason: string }
  /** Give up the transfer that is under way or being made: it does not start where the agent is. */
  | { readonly type: 'abandon-transfer' }
  /** Send what the window allows. */
  | { readonly type: 'pump' }
  /** Send `error` and close with the close code of its table row. */
  | { readonly type: 'close'; readonly error: FreshetError };

export type FeedbackSamples = MessageNamed<UpstreamMessage, 'feedback'>['samples'];

export interface Transition {
  readonly state: SessionState;
  readonly effects: readonly SessionEffect[];
}

/** Unconfirmed transfers that may be under way to one agent. */
export const IN_FLIGHT_MAX = 64;

export const INITIAL_SESSION_STATE: SessionState = { phase: 'awaiting-hello' };

/** Whether another transfer may be started, as far as acknowledgements go. */
export function isWindowOpen(state: LiveState): boolean {
  return state.inFlight.length < IN_FLIGHT_MAX;
}

type Phase = SessionState['phase'];
type StateOf<P extends Phase> = Extract<SessionState, { readonly phase: P }>;

/** Messages count as events under their own names. */
export type EventName = UpstreamMessage['type'] | Exclude<SessionEvent['type'], 'message'>;
type Subject<Name extends EventName> = Name extends UpstreamMessage['type']
  ? MessageNamed<UpstreamMessage, Name>
  : Extract<SessionEvent, { readonly type: Name }>;

type Table = {
  readonly [P in Phase]: {
    readonly [Name in EventName]: (state: StateOf<P>, subject: Subject<Name>, facts: HubFacts) => Transition;
  };
};

const helloIsDue = (_: SessionState, { type }: UpstreamMessage): Transition =>
  close('MESSAGE_UNEXPECTED', `the first message is hello, not ${type}`);
const failRead = (_: SessionState, { error }: Subject<'unreadable'>): Transition => closeWith(error);
const passOver = (state: SessionState): Transition => ({ state, effects: [] });

const helloIsOver = (): Transition => close('MESSAGE_UNEXPECTED', 'hello is sent once');
const fallSilent = (): Transition => close('PEER_SILENT', 'no heartbeat in time');
const giveWay = ({ agentId }: AdmittedState): Transition =>
  close('AGENT_REPLACED', `another connection says it is ${agentId}`);

function cannotBe({ phase }: SessionState, { type }: SessionEvent): never {
  assert(false, `${type} while ${phase}`);
}

const TABLE: Table = {
  'awaiting-hello': {
    hello: (_, hello, facts) => greet(hello, facts),
    ack: helloIsDue,
    nack: helloIsDue,
    heartbeat: helloIsDue,
    commandResult: helloIsDue,
    feedback: helloIsDue,
    overdue: () => close('PEER_SILENT', 'no hello in time'),
    unreadable: failRead,
    // These follow from what only a live session does.
    replaced: cannotBe,
    preparing: cannotBe,
    prepared: cannotBe,
    sent: cannotBe,
    'stray-answer': cannotBe,
    // Greeting it will tell.
    'intake-open': passOver,
    settled: cannotBe,
  },
  live: {
    hello: helloIsOver,
    ack: takeReport,
    nack: takeNack,
    heartbeat: takeReport,
    commandResult: takeAnswer,
    feedback: takeFeedback,
    overdue: fallSilent,
    unreadable: failRead,
    replaced: giveWay,
    preparing: (state) => ({ state: { ...state, phase: 'preparing' }, effects: [] }),
    // What is made for a session that no longer waits for it is not heard of.
    prepared: cannotBe,
    sent: (state, { position }) => takeSent(state, position),
    'stray-answer': takeStrayAnswer,
    'intake-open': takeIntake,
    settled: (state, { result }) => takeSettled(state, result),
  },
  preparing: {
    hello: helloIsOver,
    ack: takeReport,
    nack: takeNack,
    heartbeat: takeReport,
    commandResult: takeAnswer,
    feedback: takeFeedback,
    overdue: fallSilent,
    unreadable: failRead,
    replaced: giveWay,
    preparing: cannotBe,
    prepared: (state, { found }) => takePrepared(state, found),
    sent: cannotBe,
    'stray-answer': takeStrayAnswer,
    'intake-open': takeIntake,
    settled: (state, { result }) => takeSettled(state, result),
  },
  closing: {
    hello: passOver,
    ack: passOver,
    nack: passOver,
    heartbeat: passOver,
    commandResult: passOver,
    feedback: passOver,
    overdue: passOver,
    unreadable: passOver,
    replaced: passOver,
    preparing: passOver,
    prepared: passOver,
    sent: passOver,
    'stray-answer': passOver,
    'intake-open': passOver,
    settled: passOver,
  },
};

/** The next state and what to do. Total: every event is defined in every phase. */
export function stepSession(state: SessionState, event: SessionEvent, facts: HubFacts): Transition {
  const subject = event.type === 'message' ? event.message : event;
  // The compiler checks each cell against its phase and its event, but cannot follow that a look-up by both hits the
  // cell of both.
  const step = TABLE[state.phase][subject.type] as (
    state: SessionState,
    subject: Subject<EventName>,
    facts: HubFacts,
  ) => Transition;
  return step(state, subject, facts);
}
