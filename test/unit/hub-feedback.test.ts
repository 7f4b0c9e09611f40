/** Samples of agents at a real hub, into a real sample log. */
import { strict as assert } from 'node:assert';
import { afterEach, beforeEach, it, type TestContext } from 'node:test';
import { upstreamCodec } from '@freshet/protocol/codec';
import { ERROR_TRAITS, FreshetError } from '@freshet/protocol/errors';
import { samplesMessage } from '@freshet/protocol/feedback';
import { FEEDBACK_SAMPLES_MAX } from '@freshet/protocol/limits';
import type { SampleInbox, SampleInboxOptions } from '../../trainer/history/sample-log/sample-inbox.ts';
import type { SampleIntake } from '../../trainer/hub/sample-intake.ts';
import { feedbackOf, numbersIn, range, wireDigit } from '../support/feedback.ts';
import { HubAgents } from '../support/hub-agents.ts';
import { HubHarness } from '../support/hub-harness.ts';
import { handMadeModel } from '../support/hub-model.ts';
import { DIGITS, openInbox, openLearnerLog, SENSORS, samplePath } from '../support/sample-logs.ts';
import { seed } from '../support/seed.ts';
import { until } from '../support/until.ts';
import { helloOf, type WireClient } from '../support/wire-client.ts';

let harness: HubHarness;
const agents = new HubAgents(() => harness);

beforeEach(async () => {
  harness = new HubHarness(handMadeModel(500), seed);
  await harness.start();
});

afterEach(async () => {
  agents.terminate();
  await harness.remove();
});

/** An agent that has said hello and was welcomed. It has the hub's head, so that it gets nothing else. */
async function greeted(agentId: string, { feedback = true } = {}): Promise<WireClient> {
  const { log, model } = harness;
  const head = log.head();
  const client = await agents.connect();
  client.send(
    helloOf(agentId, { feedback, modelDigest: model.digest, lineId: log.lineId, head, served: head }),
  );
  await client.next('welcome');
  return client;
}

/** The hub takes samples into a log of its own. */
function takeSamples(
  test: TestContext,
  options: Partial<SampleInboxOptions> = {},
): { inbox: SampleInbox; path: string } {
  const path = samplePath(test);
  const inbox = openInbox(test, path, options);
  harness.hub.takeSamples(inbox);
  return { inbox, path };
}

async function answerTo(client: WireClient, batch: number, numbers: readonly number[]) {
  client.send(feedbackOf(batch, numbers.map(wireDigit)));
  const { type: _, ...answer } = await client.next('feedbackResult');
  return answer;
}

const SETTLED = { duplicates: 0, refused: [], retryMs: null };

it('agents that collect samples are told what they look like: on arrival, or once it is known; no others', async (test) => {
  const early = await greeted('early');
  const other = await greeted('other', { feedback: false });
  takeSamples(test);
  const late = await greeted('late');
  for (const client of [early, late]) assert.deepEqual(await client.next('samples'), samplesMessage(DIGITS));
  await other.settled();
  assert.deepEqual(
    other.received.map(({ type }) => type),
    ['welcome'],
  );
});

it('samples are in the log when they are answered, each once, whatever agents call them', async (test) => {
  const { path } = takeSamples(test);
  const [one, two] = [await greeted('one'), await greeted('two')];
  for (const client of [one, two]) await client.next('samples');
  assert.deepEqual(await answerTo(one, 1, [1, 2]), { ...SETTLED, batch: 1, taken: 2 });
  assert.deepEqual(await answerTo(one, 2, [2, 3]), { ...SETTLED, batch: 2, taken: 1, duplicates: 1 });
  // The ids are the same, and the samples are others.
  assert.deepEqual(await answerTo(two, 1, [2]), { ...SETTLED, batch: 1, taken: 1 });
  const log = openLearnerLog(test, path);
  assert.deepEqual(numbersIn(log), [1, 2, 3, 2]);
  assert.deepEqual(harness.hub.counts().feedback, {
    taken: 4,
    duplicates: 1,
    refused: 0,
    deferredBatches: 0,
  });
});

it('bad samples cost themselves only, and are named with the reason', async (test) => {
  const { path } = takeSamples(test);
  const client = await greeted('one');
  await client.next('samples');
  client.send(
    feedbackOf(1, [
      { ...wireDigit(1), target: 10 },
      wireDigit(2),
      { ...wireDigit(3), input: Uint8Array.of(1) },
      { ...wireDigit(4), target: new Uint8Array(4) },
    ]),
  );
  const { refused, taken } = await client.next('feedbackResult');
  assert.equal(taken, 1);
  assert.deepEqual(refused, [
    { index: 0, reason: 'label is 10; it has to be an integer from 0 to 9' },
    { index: 2, reason: 'input has 1 bytes; it has to have 6' },
    { index: 3, reason: 'target is not for this model: give "label"' },
  ]);
  assert.deepEqual(numbersIn(openLearnerLog(test, path)), [2]);
});

it('numbers that are not finite never get into the log', async (test) => {
  const path = samplePath(test);
  const inbox = openInbox(test, path, { format: SENSORS });
  harness.hub.takeSamples(inbox);
  const client = await greeted('one');
  await client.next('samples');
  const bytes = (...values: number[]) => new Uint8Array(Float32Array.from(values).buffer);
  const good = { ...wireDigit(1), input: bytes(1, 2, 3, 4), target: bytes(0, 1) };
  client.send(feedbackOf(1, [{ ...good, input: bytes(1, 2, Number.NaN, 4) }, good]));
  const { refused } = await client.next('feedbackResult');
  assert.deepEqual(refused, [
    { index: 0, reason: 'input has NaN at element 2; elements are finite as float32' },
  ]);
  assert.equal(inbox.sampleCount, 1);
});

it('a log without room makes agents wait, and takes the same samples later', async (test) => {
  const limits = { historyMax: 8, waitingMax: 3, bytesMax: 1e6 };
  const { path, inbox } = takeSamples(test, { limits });
  const client = await greeted('one');
  await client.next('samples');
  // More than may wait at all: what fits is taken, and the rest once there is room.
  const answer = await answerTo(client, 1, range(0, 5));
  assert.deepEqual([answer.taken, answer.duplicates, answer.refused], [0, 0, []]);
  assert.ok(answer.retryMs !== null && answer.retryMs > 0);
  assert.equal(inbox.waiting, 3);
  openLearnerLog(test, path, {}).takeStep(0, 3);
  assert.deepEqual(await answerTo(client, 2, range(0, 5)), { ...SETTLED, batch: 2, taken: 2, duplicates: 3 });
  assert.equal(harness.hub.counts().feedback.deferredBatches, 1);
});

it('a log that fails makes agents keep their samples, and costs the hub nothing', async () => {
  const intake: SampleIntake = {
    format: DIGITS,
    capacity: { waitingMax: 100 },
    append: () => {
      throw new FreshetError('STORE_WRITE_FAILED', 'the disk is full');
    },
  };
  harness.hub.takeSamples(intake);
  const client = await greeted('one');
  await client.next('samples');
  const { retryMs, taken } = await answerTo(client, 1, [1]);
  assert.equal(taken, 0);
  assert.ok(retryMs !== null && retryMs >= 10_000);
  harness.publish();
  assert.equal((await client.next('delta')).span, 1);
});

it('an agent that floods costs its own connection only', async (test) => {
  const { path } = takeSamples(test);
  const [flood, proper] = [await greeted('flood'), await greeted('proper')];
  for (const client of [flood, proper]) await client.next('samples');
  const full = (batch: number) =>
    feedbackOf(batch, range(1000 * batch, 1000 * batch + FEEDBACK_SAMPLES_MAX).map(wireDigit));
  // In one segment, so that they come in the same turn.
  flood.socket.pause();
  for (let batch = 1; batch <= 5; batch++) flood.send(full(batch));
  flood.socket.resume();
  assert.equal((await flood.closed()).code, ERROR_TRAITS.MESSAGE_UNEXPECTED.closeCode);
  assert.deepEqual(await answerTo(proper, 1, [1]), { ...SETTLED, batch: 1, taken: 1 });
  const taken = numbersIn(openLearnerLog(test, path));
  assert.ok(taken.length <= FEEDBACK_SAMPLES_MAX + 1, `${taken.length} samples`);
});

it('a batch that takes longer to come than an agent may be silent is taken, and whoever stops half-way is cut off', async (test) => {
  await harness.remove();
  const heartbeatMs = 100;
  harness = new HubHarness(handMadeModel(500), seed, { heartbeatMs });
  await harness.start();
  const { path } = takeSamples(test);
  const [slow, stuck] = [await greeted('slow'), await greeted('stuck')];
  for (const client of [slow, stuck]) await client.next('samples');
  const frame = upstreamCodec.encode(feedbackOf(1, range(0, 200).map(wireDigit)));
  stuck.socket.send(frame.subarray(0, 100), { fin: false });
  let sent = 0;
  for (const start = performance.now(); performance.now() - start < 10 * heartbeatMs; ) {
    slow.socket.send(frame.subarray(sent, ++sent), { fin: false });
    await slow.settled();
    await until('a while has passed', () => performance.now() - start > sent * (heartbeatMs / 4));
  }
  slow.socket.send(frame.subarray(sent), { fin: true });
  assert.equal((await slow.next('feedbackResult')).taken, 200);
  assert.equal((await stuck.closed()).code, ERROR_TRAITS.PEER_SILENT.closeCode);
  assert.equal(numbersIn(openLearnerLog(test, path)).length, 200);
});

it('samples before the hub has asked for any end the connection', async () => {
  const client = await greeted('one');
  client.send(feedbackOf(1, [wireDigit(1)]));
  assert.equal((await client.closed()).code, ERROR_TRAITS.MESSAGE_UNEXPECTED.closeCode);
});

it('nothing is taken once the hub closes', async (test) => {
  const { path } = takeSamples(test);
  const client = await greeted('one');
  await client.next('samples');
  client.send(feedbackOf(1, [wireDigit(1)]));
  await harness.stop();
  await client.closed();
  const taken = numbersIn(openLearnerLog(test, path));
  const answered = client.received.filter(({ type }) => type === 'feedbackResult');
  assert.equal(taken.length, answered.length);
  await harness.start();
});
