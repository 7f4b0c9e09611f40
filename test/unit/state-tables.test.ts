/**
 * PROTOCOL.md prints what both sides of a session do at every event in every phase. Here both are taken through all of
 * them; after an intended change paste the tables that a failure shows.
 */
import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { DOWNSTREAM, UPSTREAM } from '@freshet/protocol/messages';
import { AGENT_PHASES, observeAgent } from '../support/agent-states.ts';
import { HUB_PHASES, observeHub } from '../support/hub-states.ts';
import { type Observed, tableOf } from '../support/state-table.ts';

const protocol = readFileSync(join(import.meta.dirname, '../../PROTOCOL.md'), 'utf8');

function block(name: string): string {
  const [, rest = ''] = protocol.split(`<!-- ${name} -->\n`);
  const [text = ''] = rest.split(`\n<!-- /${name} -->`);
  return text;
}

function assertTotal<Event extends string, Phase extends string>(
  observed: Observed<Event, Phase>,
  messages: object,
  phases: readonly Phase[],
): void {
  assert.deepEqual(
    Object.keys(messages).filter((type) => !Object.hasOwn(observed, type)),
    [],
    'every message is an event',
  );
  for (const [event, byPhase] of Object.entries<Observed<Event, Phase>[Event]>(observed)) {
    for (const phase of phases) {
      assert.ok(byPhase[phase].length > 0, `${event} while ${phase}`);
    }
  }
}

describe("the hub's session", () => {
  const observed = observeHub();
  it('is defined for every event in every phase', () => assertTotal(observed, UPSTREAM, HUB_PHASES));
  it('is what PROTOCOL.md says', () => assert.equal(block('hub-states'), tableOf(observed, HUB_PHASES)));
  it('does nothing any more once it closes', () => {
    const outcomes = Object.values(observed).flatMap(({ closing }) => closing);
    assert.deepEqual(
      outcomes.filter(({ does, next }) => does.length > 0 || next !== 'closing'),
      [],
    );
  });
});

describe("the agent's session", () => {
  it('is defined for every event in every phase, and is what PROTOCOL.md says', (test) => {
    const observed = observeAgent(test);
    assertTotal(observed, DOWNSTREAM, AGENT_PHASES);
    assert.equal(block('agent-states'), tableOf(observed, AGENT_PHASES));
    const afterTheEnd = Object.values(observed).flatMap(({ closed }) => closed);
    assert.deepEqual(
      afterTheEnd.filter(({ does, next }) => does.length > 0 || next !== 'closed'),
      [],
    );
  });
});
