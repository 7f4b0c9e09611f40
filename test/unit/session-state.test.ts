/**
 * The hub's session state machine without sockets: a table of what follows from what, and random conversations for
 * the rules that hold in all of them.
 */
import { strict as assert } from 'node:assert';
import { describe, test } from 'node:test';
import { FreshetError } from '@freshet/protocol/errors';
import { asAgentId, asLineId, asWeightsVersion, type Position } from '@freshet/protocol/ids';
import type { UpstreamMessage } from '@freshet/protocol/messages';
import { PROTOCOL_VERSION } from '@freshet/protocol/version';
import fc from 'fast-check';
import {
  IN_FLIGHT_MAX,
  INITIAL_SESSION_STATE,
  isWindowOpen,
  type LiveState,
  type SessionEvent,
  type SessionState,
  stepSession,
  type Transition,
} from '../../trainer/core/session-state.ts';
import { at, forged, hubFacts, LINE_ID, MODEL_DIGEST } from '../support/hub-facts.ts';
import '../support/seed.ts';
import { helloOf } from '../support/wire-client.ts';

const HEAD = 20;
/** Holds versions 5 to 20. */
const facts = hubFacts({ oldest: 5, head: HEAD, modelFrameBytes: 1000 });

const message = (upstream: UpstreamMessage): SessionEvent => ({ type: 'message', message: upstream });
const ack = (head: Position): SessionEvent => message({ type: 'ack', head, served: head, pinned: false });
const sent = (version: number): SessionEvent => ({ type: 'sent', position: at(version) });
const nack = (rejected: number, head: Position | null, code = 'ROOT_MISMATCH'): SessionEvent =>
  message({ type: 'nack', rejected: asWeightsVersion(rejected), head, code, reason: 'test' });
const helloAt = (head: Position | null): SessionEvent =>
  message(helloOf('edge-1', { modelDigest: MODEL_DIGEST, lineId: LINE_ID, head }));

function run(...events: SessionEvent[]): Transition {
  let last: Transition = { state: INITIAL_SESSION_STATE, effects: [] };
  for (const event of events) last = stepSession(last.state, event, facts);
  return last;
}

function live(state: SessionState): LiveState {
  assert.ok(state.phase === 'live', state.phase);
  return state;
}

/** Code that the transition closes with. */
function closeCode({ state, effects }: Transition): string {
  const closing = effects.at(-1);
  assert.ok(state.phase === 'closing' && closing?.type === 'close');
  return closing.error.code;
}

describe('hello', () => {
  test('from an empty agent: model and snapshot are due', () => {
    const { state, effects } = run(message(helloOf('edge-1')));
    assert.equal(live(state).cursor, null);
    assert.deepEqual(effects[0], {
      type: 'admit',
      agentId: asAgentId('edge-1'),
      protocol: PROTOCOL_VERSION,
      sendModel: true,
    });
    assert.deepEqual(effects.at(-1), { type: 'pump' });
  });

  test('from an agent of this line: it goes on where it is', () => {
    for (const version of [5, 12, HEAD]) {
      const { state, effects } = run(helloAt(at(version)));
      assert.deepEqual(live(state).cursor, at(version));
      assert.ok(effects[0]?.type === 'admit' && !effects[0].sendModel);
    }
  });

  test('at a version that the log has forgotten is accepted: the plan will be a snapshot', () => {
    assert.deepEqual(live(run(helloAt(at(2))).state).cursor, at(2));
  });

  const refusals: [string, SessionEvent, string][] = [
    ['above the head', helloAt(at(HEAD + 1)), 'LINE_MISMATCH'],
    ['with other weights', helloAt(forged(12)), 'LINE_MISMATCH'],
    ['of another line', message(helloOf('a', { lineId: asLineId('33'.repeat(16)) })), 'LINE_MISMATCH'],
    ['of another model with weights', message(helloOf('a', { head: at(5) })), 'MODEL_MISMATCH'],
    [
      'of another protocol',
      message(helloOf('a', { protocolMin: 9, protocolMax: 9 })),
      'PROTOCOL_UNSUPPORTED',
    ],
    ['of an agent that there is no room for', message(helloOf('one-too-many')), 'NOT_READY'],
    ['that is an ack', ack(at(5)), 'MESSAGE_UNEXPECTED'],
    ['that does not come', { type: 'overdue' }, 'PEER_SILENT'],
    [
      'that cannot be read',
      { type: 'unreadable', error: new FreshetError('FRAME_MALFORMED', 'x') },
      'FRAME_MALFORMED',
    ],
  ];
  for (const [name, event, code] of refusals) {
    test(`${name} ends the session with ${code}`, () => assert.equal(closeCode(run(event)), code));
  }
});

describe('a live session', () => {
  test('closes its window at the maximum in flight and opens it with an acknowledgement', () => {
    let { state } = run(helloAt(at(5)));
    for (let i = 0; i < IN_FLIGHT_MAX; i++) {
      assert.ok(isWindowOpen(live(state)));
      state = stepSession(state, sent(6), facts).state;
    }
    assert.ok(!isWindowOpen(live(state)));
    const { state: open, effects } = stepSession(state, ack(at(6)), facts);
    assert.ok(isWindowOpen(live(open)));
    assert.ok(effects.some((effect) => effect.type === 'report' && effect.delivered === IN_FLIGHT_MAX));
    assert.deepEqual(effects.at(-1), { type: 'pump' });
  });

  test('takes acknowledgements as cumulative, from heartbeats too', () => {
    const { state } = run(helloAt(at(5)), sent(6), sent(9), sent(10), ack(at(9)));
    assert.deepEqual(live(state).inFlight, [10]);
    const heartbeat = message({
      type: 'heartbeat',
      head: at(10),
      served: at(9),
      pinned: true,
      bytesReceived: 5,
      inferenceRequests: 6,
    });
    const { state: next, effects } = stepSession(state, heartbeat, facts);
    assert.deepEqual(live(next).inFlight, []);
    assert.deepEqual(effects[0], {
      type: 'report',
      report: { head: at(10), served: at(9), pinned: true, bytesReceived: 5, inferenceRequests: 6 },
      delivered: 1,
    });
  });

  const endings: [string, SessionEvent[], string][] = [
    ['a second hello', [helloAt(null)], 'MESSAGE_UNEXPECTED'],
    ['an acknowledgement of what was not sent', [ack(at(6))], 'MESSAGE_UNEXPECTED'],
    ['an acknowledgement with other weights', [sent(6), ack(forged(6))], 'ROOT_MISMATCH'],
    ['a refusal from above what was sent', [nack(8, at(7))], 'MESSAGE_UNEXPECTED'],
    ['silence', [{ type: 'overdue' }], 'PEER_SILENT'],
    ['another connection of the same agent', [{ type: 'replaced' }], 'AGENT_REPLACED'],
    [
      'unreadable bytes',
      [{ type: 'unreadable', error: new FreshetError('FRAME_TOO_LARGE', 'x') }],
      'FRAME_TOO_LARGE',
    ],
  ];
  for (const [name, events, code] of endings) {
    test(`ends after ${name} with ${code}`, () =>
      assert.equal(closeCode(run(helloAt(at(5)), ...events)), code));
  }

  test('passes on the answer to a command', () => {
    const answer = message({ type: 'commandResult', id: 4, ok: false, outcome: 'no' });
    assert.deepEqual(run(helloAt(at(5)), answer).effects, [
      { type: 'answered', commandId: 4, ok: false, outcome: 'no' },
    ]);
  });

  test('bears seven answers to commands that are not open, and ends with the eighth', () => {
    const stray: SessionEvent[] = Array(7).fill({ type: 'stray-answer' });
    const { state, effects } = run(helloAt(at(5)), ...stray);
    assert.equal(live(state).strayAnswers, 7);
    assert.deepEqual(effects, []);
    assert.equal(closeCode(stepSession(state, { type: 'stray-answer' }, facts)), 'MESSAGE_UNEXPECTED');
  });
});

describe('a refusal', () => {
  test('sets the cursor back to where the agent is and gives up the transfer in progress', () => {
    const { state, effects } = run(helloAt(at(5)), sent(6), sent(7), nack(7, at(6)));
    assert.deepEqual(live(state).cursor, at(6));
    assert.deepEqual(live(state).inFlight, []);
    assert.deepEqual(
      effects.map(({ type }) => type),
      ['refused-by-agent', 'report', 'abandon-transfer', 'pump'],
    );
  });

  test('of a transfer that was on its way behind a refused one does nothing, once', () => {
    const refused = [helloAt(at(5)), sent(6), sent(7), sent(8), nack(6, at(5)), sent(8)];
    const echo = (version: number) => nack(version, at(5), 'BASE_MISMATCH');
    const { state, effects } = run(...refused, echo(7), echo(8));
    assert.deepEqual(live(state).inFlight, [8]);
    assert.equal(live(state).refusals, 1);
    assert.ok(!effects.some(({ type }) => type === 'pump'));
    assert.equal(live(run(...refused, echo(7), echo(8), echo(8)).state).refusals, 2);
    assert.equal(live(run(...refused, sent(9), echo(9)).state).refusals, 2, 'sent after the refusal');
  });

  test('of a version that the agent holds is news about serving, and changes nothing about sending', () => {
    const { state, effects } = run(helloAt(at(5)), sent(6), sent(7), nack(6, at(6), 'PREDICTOR_FAILED'));
    assert.deepEqual(live(state).cursor, at(7));
    assert.deepEqual(live(state).inFlight, [7]);
    assert.deepEqual(
      effects.map(({ type }) => type),
      ['refused-by-agent', 'report'],
    );
  });

  test('does not make a session forget what it has sent: a written-off snapshot may still arrive', () => {
    const { state } = run(helloAt(at(5)), sent(6), sent(9), nack(6, at(5)), ack(at(9)));
    assert.deepEqual(live(state).cursor, at(9));
    assert.equal(live(state).refusals, 0);
  });

  test('three times in a row makes a snapshot due, the fourth ends the session with the reason', () => {
    const refusing = [sent(6), nack(6, at(5)), sent(6), nack(6, at(5)), sent(6), nack(6, at(5))];
    const third = run(helloAt(at(5)), ...refusing);
    assert.equal(live(third.state).snapshotDue, true);
    const snapshotSent = stepSession(third.state, sent(9), facts);
    assert.equal(live(snapshotSent.state).snapshotDue, false);
    const fourth = stepSession(snapshotSent.state, nack(9, at(5), 'SNAPSHOT_MALFORMED'), facts);
    assert.equal(closeCode(fourth), 'SNAPSHOT_MALFORMED');
    const unknown = stepSession(snapshotSent.state, nack(9, at(5), 'FROM_THE_FUTURE'), facts);
    assert.equal(closeCode(unknown), 'SNAPSHOT_MALFORMED');
    const taken = stepSession(snapshotSent.state, ack(at(9)), facts);
    assert.equal(live(taken.state).refusals, 0);
  });
});

describe('while the way is made', () => {
  const preparing: SessionEvent = { type: 'preparing' };

  test('reports are taken down and nothing is asked to be sent', () => {
    const { state, effects } = run(helloAt(at(5)), preparing, ack(at(5)));
    assert.equal(state.phase, 'preparing');
    assert.deepEqual(
      effects.map(({ type }) => type),
      ['report'],
    );
  });

  test('it goes on once that is there, or waits for others where there is none', () => {
    const made = run(helloAt(at(5)), preparing, { type: 'prepared', found: true });
    assert.deepEqual([live(made.state).cursor, made.effects], [at(5), [{ type: 'pump' }]]);
    const none = run(helloAt(at(5)), preparing, { type: 'prepared', found: false });
    assert.deepEqual([live(none.state).cursor, none.effects], [at(5), []]);
  });

  test('what is made for a position that the agent has left is given up', () => {
    const onItsWay = [helloAt(at(5)), sent(6), sent(7)] as const;
    const refused = run(...onItsWay, preparing, nack(6, at(5)));
    assert.equal(live(refused.state).cursor?.version, 5);
    // Version 7 was written off with 6, and has arrived all the same.
    const arrived = run(...onItsWay, nack(6, at(5)), preparing, ack(at(7)));
    assert.equal(live(arrived.state).cursor?.version, 7);
    const quarantined = run(...onItsWay, nack(6, at(5)), preparing, nack(7, at(7), 'PREDICTOR_FAILED'));
    assert.equal(live(quarantined.state).cursor?.version, 7);
    for (const { effects } of [refused, arrived, quarantined]) {
      assert.deepEqual(
        effects.slice(-2).map(({ type }) => type),
        ['abandon-transfer', 'pump'],
      );
    }
  });
});

test('a closing session does nothing whatever comes', () => {
  const { state } = run(helloAt(at(5)), { type: 'overdue' });
  for (const event of [
    helloAt(at(5)),
    ack(at(5)),
    sent(6),
    { type: 'overdue' },
    { type: 'replaced' },
  ] as const) {
    assert.deepEqual(stepSession(state, event, facts), { state, effects: [] });
  }
});

test('in any conversation the cursor, the confirmed head and the window stay in order', () => {
  const version = fc.integer({ min: 3, max: HEAD + 2 });
  const head = fc.option(
    version.chain((drawn) => fc.constantFrom(at(drawn), at(drawn), forged(drawn))),
    { nil: null },
  );
  const event: fc.Arbitrary<SessionEvent> = fc.oneof(
    { weight: 4, arbitrary: fc.integer({ min: 5, max: HEAD }).map(sent) },
    { weight: 4, arbitrary: fc.integer({ min: 5, max: HEAD }).map((drawn) => ack(at(drawn))) },
    fc
      .tuple(version, head, fc.constantFrom('BASE_MISMATCH', 'ROOT_MISMATCH'))
      .map(([rejected, drawn, code]) => nack(rejected, drawn, code)),
    head.map((drawn) => ack(drawn ?? at(5))),
  );
  fc.assert(
    fc.property(head, fc.array(event, { maxLength: 60 }), (start, events) => {
      let { state } = stepSession(INITIAL_SESSION_STATE, helloAt(start), facts);
      for (const each of events) {
        // The hub sends only upwards and only while the window is open.
        if (each.type === 'sent') {
          if (state.phase !== 'live' || !isWindowOpen(state)) continue;
          if (state.cursor !== null && each.position.version <= state.cursor.version) continue;
        }
        state = stepSession(state, each, facts).state;
        if (state.phase !== 'live') continue;
        const { cursor, confirmed, inFlight, doomed, refusals } = state;
        assert.ok((confirmed?.version ?? 0) <= (cursor?.version ?? 0));
        assert.ok(inFlight.every((each) => each > (confirmed?.version ?? 0) && each <= cursor!.version));
        assert.deepEqual(
          inFlight,
          inFlight.toSorted((left, right) => left - right),
        );
        assert.ok(inFlight.length <= IN_FLIGHT_MAX && doomed.length < IN_FLIGHT_MAX && refusals <= 3);
      }
    }),
    { numRuns: 1000 },
  );
});
