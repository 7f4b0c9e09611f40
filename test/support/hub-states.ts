/** Runs every event in every phase of the hub's session, in each way that makes a difference, and says what it did. */
import { InvariantError } from '@freshet/protocol/assert';
import { FreshetError } from '@freshet/protocol/errors';
import { asLineId, asModelDigest, asSampleId, asWeightsVersion, type Position } from '@freshet/protocol/ids';
import { FRAME_BYTES_FLOOR } from '@freshet/protocol/limits';
import type { UpstreamMessage } from '@freshet/protocol/messages';
import {
  type EventName,
  type HubFacts,
  INITIAL_SESSION_STATE,
  type SessionEffect,
  type SessionEvent,
  type SessionState,
  stepSession,
} from '../../trainer/core/session-state.ts';
import { at, forged, hubFacts, LINE_ID, MODEL_DIGEST } from './hub-facts.ts';
import type { Observed, Outcome } from './state-table.ts';
import { helloOf } from './wire-client.ts';

type Phase = SessionState['phase'];
export const HUB_PHASES: readonly Phase[] = ['awaiting-hello', 'live', 'preparing', 'closing'];

/** Holds versions 1 to 20. */
const facts = hubFacts({ oldest: 1, head: 20, modelFrameBytes: 2 * FRAME_BYTES_FLOOR });
/** The same, when it is known what samples look like. */
const takingFacts: HubFacts = { ...facts, takesSamples: true };

const message = (upstream: UpstreamMessage): SessionEvent => ({ type: 'message', message: upstream });
const hello = (changes: Parameters<typeof helloOf>[1], agentId = 'device'): SessionEvent =>
  message(helloOf(agentId, { modelDigest: MODEL_DIGEST, lineId: LINE_ID, head: at(5), ...changes }));
const ack = (head: Position): SessionEvent => message({ type: 'ack', head, served: head, pinned: false });
const heartbeat = (head: Position | null): SessionEvent =>
  message({ type: 'heartbeat', head, served: head, pinned: false, bytesReceived: 1, inferenceRequests: 1 });
const nack = (rejected: number, head: Position | null, code = 'ROOT_MISMATCH'): SessionEvent =>
  message({ type: 'nack', rejected: asWeightsVersion(rejected), head, code, reason: 'test' });
const sent = (version: number): SessionEvent => ({ type: 'sent', position: at(version) });

/** Events that lead up to it, and the event itself. */
type Run = readonly [...before: SessionEvent[], event: SessionEvent];
const preparing: SessionEvent = { type: 'preparing' };
const strayAnswer: SessionEvent = { type: 'stray-answer' };
const intakeOpen: SessionEvent = { type: 'intake-open' };
const feedback = (batch: number): SessionEvent =>
  message({
    type: 'feedback',
    batch,
    samples: [{ id: asSampleId('0a'.repeat(16)), input: Uint8Array.of(1), target: 0 }],
  });
const settled: SessionEvent = {
  type: 'settled',
  result: { type: 'feedbackResult', batch: 1, taken: 1, duplicates: 0, refused: [], retryMs: null },
};

/** After `hello` at version 5. Those that a phase does not distinguish have the same outcome there. */
const RUNS: Readonly<Record<EventName, readonly Run[]>> = {
  hello: [
    [hello({})],
    [hello({ feedback: true })],
    [hello({ modelDigest: null, lineId: null, head: null })],
    [hello({ protocolMin: 99, protocolMax: 99 })],
    [hello({ lineId: asLineId('33'.repeat(16)) })],
    [hello({ head: at(21) })],
    [hello({ head: forged(5) })],
    [hello({ modelDigest: asModelDigest('44'.repeat(32)) })],
    [hello({ modelDigest: null, head: null, frameBytesMax: FRAME_BYTES_FLOOR })],
    [hello({}, 'one-too-many')],
  ],
  ack: [
    [sent(6), ack(at(6))],
    [ack(at(7))],
    [sent(6), ack(forged(6))],
    [sent(6), sent(7), nack(6, at(5)), ack(at(7))],
  ],
  nack: [
    [sent(6), nack(6, at(5))],
    [sent(6), sent(7), nack(6, at(5)), nack(7, at(5), 'BASE_MISMATCH')],
    [sent(6), nack(6, at(6), 'PREDICTOR_FAILED')],
    [nack(6, at(5)), nack(6, at(5)), nack(6, at(5)), nack(6, at(5))],
    [nack(6, at(7))],
    [nack(6, forged(5))],
  ],
  heartbeat: [[heartbeat(at(5))], [heartbeat(null)], [heartbeat(at(7))], [heartbeat(forged(5))]],
  commandResult: [[message({ type: 'commandResult', id: 1, ok: true, outcome: 'done' })]],
  feedback: [[intakeOpen, feedback(1)], [intakeOpen, feedback(1), feedback(2)], [feedback(1)]],
  overdue: [[{ type: 'overdue' }]],
  unreadable: [
    [{ type: 'unreadable', error: new FreshetError('FRAME_MALFORMED', 'test') }],
    [{ type: 'unreadable', error: new FreshetError('FRAME_TOO_LARGE', 'test') }],
  ],
  replaced: [[{ type: 'replaced' }]],
  preparing: [[preparing]],
  prepared: [[{ type: 'prepared', found: true }], [{ type: 'prepared', found: false }]],
  sent: [[sent(6)]],
  'stray-answer': [[strayAnswer], Array<SessionEvent>(8).fill(strayAnswer) as unknown as Run],
  'intake-open': [[intakeOpen]],
  settled: [[intakeOpen, feedback(1), settled]],
};

const live = stepSession(INITIAL_SESSION_STATE, hello({ feedback: true }), facts).state;
const START: Readonly<Record<Phase, SessionState>> = {
  'awaiting-hello': INITIAL_SESSION_STATE,
  live,
  preparing: stepSession(live, preparing, facts).state,
  closing: stepSession(live, { type: 'overdue' }, facts).state,
};

const WORDS: Readonly<Record<SessionEffect['type'], string>> = {
  admit: 'greet',
  report: 'note',
  answered: 'settle the command',
  'announce-samples': 'announce samples',
  'take-samples': 'take the samples',
  'answer-feedback': 'answer the samples',
  'refused-by-agent': 'count the refusal',
  'abandon-transfer': 'give up the transfer',
  pump: 'send',
  close: 'close',
};

export function observeHub(): Observed<EventName, Phase> {
  const entries = Object.entries(RUNS).map(([event, runs]) => [
    event,
    Object.fromEntries(HUB_PHASES.map((phase) => [phase, runs.map((run) => outcomeOf(phase, run))])),
  ]);
  return Object.fromEntries(entries) as Observed<EventName, Phase>;
}

function outcomeOf(phase: Phase, run: Run): Outcome<Phase> {
  const event = run.at(-1)!;
  const state = stateBefore(phase, run.slice(0, -1));
  try {
    const { state: after, effects } = stepSession(state, event, takingFacts);
    const closing = effects.find((effect) => effect.type === 'close');
    return {
      does: effects.length === 0 && after !== state ? ['note'] : effects.map(({ type }) => WORDS[type]),
      code: closing?.error.code ?? null,
      next: after.phase,
    };
  } catch (error) {
    if (error instanceof InvariantError) return { does: [], code: null, next: null };
    throw error;
  }
}

/** What leads up to an event takes place where it can: in a live session. */
function stateBefore(phase: Phase, before: readonly SessionEvent[]): SessionState {
  if (phase !== 'live' && phase !== 'preparing') return START[phase];
  const events = phase === 'live' ? before : [...before, preparing];
  return events.reduce((reached, each) => stepSession(reached, each, facts).state, START.live);
}
