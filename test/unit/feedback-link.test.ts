/** From a device's queue over a real link into a real sample log: each sample once, whatever breaks in between. */
import { strict as assert } from 'node:assert';
import { afterEach, beforeEach, it, type TestContext } from 'node:test';
import type { FeedbackTable } from '@freshet/edge-agent/store/feedback-table';
import { splitModel } from '@freshet/protocol/model';
import type { SampleInbox } from '../../trainer/history/sample-log/sample-inbox.ts';
import type { SampleIntake } from '../../trainer/hub/sample-intake.ts';
import { namedDigit, numbersIn, queueDigits, range } from '../support/feedback.ts';
import { HubHarness } from '../support/hub-harness.ts';
import { linkAgent } from '../support/linked-agent.ts';
import { sumModel } from '../support/onnx-models.ts';
import { DIGITS, openInbox, openLearnerLog, SENSORS, samplePath } from '../support/sample-logs.ts';
import { seed } from '../support/seed.ts';
import { until } from '../support/until.ts';

let harness: HubHarness;

beforeEach(async () => {
  harness = new HubHarness(splitModel('sum', sumModel(1)).model, seed);
  await harness.start();
});

afterEach(() => harness.remove());

const hubUrl = () => `ws://127.0.0.1:${harness.port}`;

function untilEmpty(queue: FeedbackTable): Promise<unknown> {
  return until('the queue is empty', () => queue.totals().waiting === 0);
}

function logOf(test: TestContext): { inbox: SampleInbox; numbers: () => number[] } {
  const path = samplePath(test);
  const inbox = openInbox(test, path);
  return { inbox, numbers: () => numbersIn(openLearnerLog(test, path)) };
}

/** `inbox`, to which `before` and `after` happen with each batch. */
function watched(inbox: SampleInbox, before: () => void, after: () => void): SampleIntake {
  return {
    format: inbox.format,
    capacity: inbox.capacity,
    append(samples, origin) {
      before();
      const outcome = inbox.append(samples, origin);
      after();
      return outcome;
    },
  };
}

it('what was queued before there was a hub that takes samples is sent in order, in batches; later ones at once', async (test) => {
  const { inbox, numbers } = logOf(test);
  const { store, courier } = linkAgent(test, hubUrl());
  queueDigits(store.feedback, range(0, 600));
  await until('the agent is there', () => harness.hub.agents().length === 1);
  harness.hub.takeSamples(inbox);
  await untilEmpty(store.feedback);
  queueDigits(store.feedback, [700]);
  courier.wake();
  await untilEmpty(store.feedback);
  assert.deepEqual(numbers(), [...range(0, 600), 700]);
  assert.deepEqual(store.feedback.totals(), {
    waiting: 0,
    waitingBytes: 0,
    taken: 601,
    duplicates: 0,
    refused: 0,
  });
});

it('a connection that breaks before an answer makes nobody lose or double a sample', async (test) => {
  const { inbox, numbers } = logOf(test);
  const { store, link } = linkAgent(test, hubUrl());
  queueDigits(store.feedback, range(0, 1000));
  // Every other batch is cut off before it is taken, or after it was taken and before the answer.
  let batches = 0;
  const cut = (phase: number) => () => {
    if (batches % 4 === phase) for (const socket of sockets) socket.destroy();
  };
  const sockets = new Set<{ destroy(): void }>();
  harness.server.on('upgrade', (_request, socket) => sockets.add(socket));
  harness.hub.takeSamples(
    watched(
      inbox,
      () => {
        batches++;
        cut(1)();
      },
      cut(3),
    ),
  );
  await untilEmpty(store.feedback);
  assert.equal(link.state === 'closed', false);
  assert.deepEqual(numbers(), range(0, 1000));
  const { taken, duplicates } = store.feedback.totals();
  assert.equal(taken + duplicates, 1000);
  assert.ok(duplicates > 0, 'answers were lost');
});

it('a hub without room is asked again, and the samples wait', async (test) => {
  const { inbox, numbers } = logOf(test);
  const { store } = linkAgent(test, hubUrl());
  queueDigits(store.feedback, range(0, 10));
  let refusals = 0;
  harness.hub.takeSamples({
    ...watched(
      inbox,
      () => undefined,
      () => undefined,
    ),
    append: (samples, origin) => (refusals++ === 0 ? { kind: 'full' } : inbox.append(samples, origin)),
  });
  await until('the hub was asked', () => refusals === 1);
  assert.equal(store.feedback.totals().waiting, 10);
  await untilEmpty(store.feedback);
  assert.deepEqual(numbers(), range(0, 10));
});

it('samples that the hub refuses leave the queue and are remembered with the reason', async (test) => {
  const { inbox, numbers } = logOf(test);
  const { store } = linkAgent(test, hubUrl());
  const { feedback } = store;
  queueDigits(feedback, [1, 2]);
  // As a store that was damaged would have it.
  const [bad] = feedback.oldest(1, 1);
  feedback.settle([bad!], { taken: 1, duplicates: 0, refused: [] });
  feedback.add([{ name: 'bad', wire: { ...bad!, target: 99 } }, namedDigit(3)]);
  harness.hub.takeSamples(inbox);
  await untilEmpty(feedback);
  assert.deepEqual(numbers(), [2, 3]);
  const [refusal] = feedback.status().recentlyRefused;
  assert.deepEqual(
    [refusal?.name, refusal?.reason],
    ['bad', 'label is 99; it has to be an integer from 0 to 9'],
  );
});

it('a hub that takes other samples than before gets none of the old ones', async (test) => {
  const path = samplePath(test);
  const inbox = openInbox(test, path, { format: SENSORS });
  const { store } = linkAgent(test, hubUrl());
  queueDigits(store.feedback, range(0, 5));
  assert.deepEqual(store.feedback.format(), DIGITS);
  harness.hub.takeSamples(inbox);
  await untilEmpty(store.feedback);
  assert.equal(store.feedback.totals().refused, 5);
  assert.deepEqual(store.feedback.format(), SENSORS);
  assert.equal(inbox.sampleCount, 0);
});
