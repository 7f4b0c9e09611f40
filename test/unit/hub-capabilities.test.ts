/**
 * Agents that know fewer value formats than the publisher uses, or take smaller messages than it sends, get to the same
 * bits by other ways; for all others nothing changes.
 */
import { strict as assert } from 'node:assert';
import { afterEach, describe, test } from 'node:test';
import { applyDelta } from '@freshet/protocol/delta';
import { encodeDeltaPayload, formatsOfPayload } from '@freshet/protocol/delta-payload';
import { digestWeights } from '@freshet/protocol/digest';
import { asWeightsVersion } from '@freshet/protocol/ids';
import { DOWNSTREAM_FRAME_BYTES_MAX, FRAME_BYTES_FLOOR } from '@freshet/protocol/limits';
import type { DownstreamMessage, MessageNamed } from '@freshet/protocol/messages';
import { type Model, makeModel } from '@freshet/protocol/model';
import { fromBfloat16, toBfloat16 } from '@freshet/protocol/payload/float-bits';
import WebSocket from 'ws';
import { CATCH_UP_LIMITS, type CatchUpLimits } from '../../trainer/core/catch-up-plan.ts';
import { HubHarness } from '../support/hub-harness.ts';
import { handMadeModel, note, sameBits, xorshift } from '../support/hub-model.ts';
import { seed } from '../support/seed.ts';
import { follow, helloOf, Replica, WireClient } from '../support/wire-client.ts';

type Delta = MessageNamed<DownstreamMessage, 'delta'>;

const clients: WireClient[] = [];
let harness: HubHarness;

/** So that several versions are sent one by one, or not at all. */
const NO_SQUASH: CatchUpLimits = { ...CATCH_UP_LIMITS, squashInputBytesMax: 0 };

async function start(model: Model, catchUpLimits = CATCH_UP_LIMITS): Promise<void> {
  harness = new HubHarness(model, seed, { catchUpLimits });
  await harness.start();
}

afterEach(async () => {
  for (const client of clients.splice(0)) client.socket.terminate();
  await harness.remove();
});

/** What an agent says about itself, besides what it holds. */
interface Claims {
  readonly valueFormats?: readonly string[];
  readonly frameBytesMax?: number;
}

async function following(agentId: string, claims: Claims, replica = new Replica(harness.model)) {
  const { head } = replica;
  const known = head === null ? {} : { lineId: harness.log.lineId, modelDigest: harness.model.digest, head };
  const client = await follow(harness.port, helloOf(agentId, { ...known, ...claims }), replica);
  clients.push(client);
  await client.until(() => isFresh(replica));
  return { client, replica };
}

const isFresh = ({ head }: Replica) => head?.version === harness.log.head()?.version;
const deltasOf = ({ received }: WireClient): Delta[] =>
  received.filter((message) => message.type === 'delta');
const snapshotCountOf = ({ received }: WireClient) =>
  received.filter(({ type }) => type === 'snapshotBegin').length;
const formatsIn = ({ payload }: Delta) => formatsOfPayload(payload, harness.model);

/** Publishes one version whose values travel as bf16. */
function publishBfloat16(changeCount: number): void {
  const { model, learner, log, hub } = harness;
  const random = xorshift(seed + log.head()!.version);
  const base = log.head()!.version;
  const before = log.headWeights().slice();
  const stride = Math.floor(model.elementCount / changeCount);
  const indices = Uint32Array.from({ length: changeCount }, (_, i) => i * stride);
  // Positive and finite, so that every draw is a number.
  const valueBits = indices.map(() => fromBfloat16(toBfloat16(random() % 0x7f00_0000)));
  const payload = encodeDeltaPayload(
    { indices, valueBits },
    before,
    model,
    model.tensors.map(() => ({ format: 'bf16' })),
  );
  const after = before.slice();
  applyDelta(after, { indices, valueBits });
  const next = asWeightsVersion(base + 1);
  log.appendDelta({ base, next, root: digestWeights(after, model.digest, next), payload, note });
  learner.resume(log);
  hub.published();
}

describe('an agent that does not know the format of the values', () => {
  test('gets each version as it is published, in exact values', async () => {
    await start(handMadeModel(3000));
    const able = await following('able', {});
    const plain = await following('plain', { valueFormats: [] });
    const odd = await following('odd', { valueFormats: ['f32', 'q2', 'base64'] });
    for (let i = 0; i < 3; i++) {
      publishBfloat16(20);
      for (const { client, replica } of [able, plain, odd]) {
        await client.until(() => isFresh(replica));
        assert.ok(sameBits(replica.weights, harness.log.headWeights()));
      }
    }
    assert.deepEqual(deltasOf(able.client).map(formatsIn), [['bf16'], ['bf16'], ['bf16']]);
    for (const { client } of [plain, odd]) {
      assert.deepEqual(deltasOf(client).map(formatsIn), [['f32'], ['f32'], ['f32']]);
      assert.deepEqual(
        deltasOf(client).map(({ span, trafficClass }) => [span, trafficClass]),
        [1, 2, 3].map(() => [1, 'live']),
      );
      assert.equal(snapshotCountOf(client), 1);
    }
  });

  test('gets one exact delta over the versions that it has missed', async () => {
    await start(handMadeModel(3000));
    const { client, replica } = await following('plain', { valueFormats: [] });
    await client.close();
    publishBfloat16(20);
    harness.publish();
    publishBfloat16(20);
    const back = await following('plain', { valueFormats: ['f32'] }, replica);
    assert.deepEqual(
      deltasOf(back.client).map((delta) => [delta.base, delta.span, ...formatsIn(delta)]),
      [[1, 3, 'f32']],
    );
    assert.ok(sameBits(replica.weights, harness.log.headWeights()));
  });

  test('gets a snapshot where the stored deltas are too many to be made into one', async () => {
    await start(handMadeModel(3000), NO_SQUASH);
    const { client, replica } = await following('plain', { valueFormats: [] });
    await client.close();
    harness.publish();
    publishBfloat16(20);
    const back = await following('plain', { valueFormats: [] }, replica);
    assert.deepEqual([deltasOf(back.client).length, snapshotCountOf(back.client)], [0, 1]);
    assert.ok(sameBits(replica.weights, harness.log.headWeights()));
  });

  test('does not notice where only formats that it knows are used', async () => {
    await start(handMadeModel(3000));
    const { client, replica } = await following('half', { valueFormats: ['bf16'] });
    publishBfloat16(20);
    await client.until(() => isFresh(replica));
    assert.deepEqual(deltasOf(client).map(formatsIn), [['bf16']]);
  });
});

test('all agents of one kind share one encoding, also beside others', async (t) => {
  await start(handMadeModel(3000));
  const able = [await following('a', {}), await following('b', {}), await following('c', {})];
  const plain = [await following('d', { valueFormats: [] }), await following('e', { valueFormats: [] })];
  // Sharing shows in the Buffers that are handed to the sockets: equal ones are the same.
  const frames = new Set<unknown>();
  const original = WebSocket.prototype.send;
  const ends = new Set([...able, ...plain].map(({ client }) => client.socket));
  t.mock.method(
    WebSocket.prototype,
    'send',
    function (this: WebSocket, ...sent: Parameters<typeof original>) {
      if (!ends.has(this)) frames.add(sent[0]);
      return original.apply(this, sent);
    },
  );
  publishBfloat16(20);
  for (const { client, replica } of [...able, ...plain]) await client.until(() => isFresh(replica));
  assert.equal(frames.size, 2);
});

describe('an agent that takes no larger messages than it must', () => {
  const changed = 200_000;

  test('gets a snapshot instead of a delta that is larger', async () => {
    await start(handMadeModel(300_000));
    const able = await following('able', {});
    const small = await following('small', { frameBytesMax: FRAME_BYTES_FLOOR });
    publishRandomBits(changed);
    for (const { client, replica } of [able, small]) {
      await client.until(() => isFresh(replica));
      assert.ok(sameBits(replica.weights, harness.log.headWeights()));
    }
    assert.deepEqual([deltasOf(able.client).length, snapshotCountOf(able.client)], [1, 1]);
    assert.deepEqual([deltasOf(small.client).length, snapshotCountOf(small.client)], [0, 2]);
    assert.ok(largestOf(small.client) <= FRAME_BYTES_FLOOR);
  });

  test('gets stored deltas one by one only where all of them fit', async () => {
    await start(handMadeModel(300_000), NO_SQUASH);
    const able = await following('able', {});
    await able.client.close();
    const { client, replica } = await following('small', { frameBytesMax: FRAME_BYTES_FLOOR });
    await client.close();
    publishRandomBits(changed);
    harness.publish();
    const back = await following('small', { frameBytesMax: FRAME_BYTES_FLOOR }, replica);
    assert.equal(snapshotCountOf(back.client), 1);
    assert.ok(largestOf(back.client) <= FRAME_BYTES_FLOOR);
    const ableAgain = await following('able', {}, able.replica);
    assert.deepEqual([deltasOf(ableAgain.client).length, snapshotCountOf(ableAgain.client)], [2, 0]);

    await back.client.close();
    for (let i = 0; i < 3; i++) harness.publish();
    const last = await following('small', { frameBytesMax: FRAME_BYTES_FLOOR }, replica);
    assert.deepEqual([deltasOf(last.client).length, snapshotCountOf(last.client)], [3, 0]);
  });

  test('is told so when not even the model fits', async () => {
    const { modelId, tensors } = handMadeModel(3000);
    await start(makeModel(modelId, tensors, new Uint8Array(FRAME_BYTES_FLOOR)));
    const small = await WireClient.connect(harness.port);
    clients.push(small);
    small.send(helloOf('small', { frameBytesMax: FRAME_BYTES_FLOOR }));
    const error = await small.next('error');
    assert.equal(error.code, 'FRAME_TOO_LARGE');
    assert.match(error.reason, /a message of 52\d{4} bytes, and the agent takes 524288/);
    assert.equal((await small.closed()).code, 4401);
    const { replica } = await following('large', { frameBytesMax: DOWNSTREAM_FRAME_BYTES_MAX });
    assert.ok(isFresh(replica));
  });
});

/** Publishes values that no coding makes small. */
function publishRandomBits(count: number): void {
  const random = xorshift(seed);
  const indices = Uint32Array.from({ length: count }, (_, i) => i);
  harness.learner.publishDelta(harness.log, {
    indices,
    valueBits: indices.map(() => random() % 0x7f00_0000),
  });
  harness.hub.published();
}

/** Bytes of the largest payload or chunk that has arrived. */
function largestOf({ received }: WireClient): number {
  const sizes = received.map((message) => {
    if (message.type === 'delta') return message.payload.length;
    return message.type === 'snapshotChunk' ? message.bytes.length : 0;
  });
  return Math.max(...sizes);
}
