/** Agents that do not take what the hub sends, or not soon: what they cost the hub, and how they arrive all the same. */
import { strict as assert } from 'node:assert';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { asWeightsVersion } from '@freshet/protocol/ids';
import WebSocket from 'ws';
import { CATCH_UP_LIMITS } from '../../trainer/core/catch-up-plan.ts';
import { countOf, HubAgents } from '../support/hub-agents.ts';
import { HubHarness } from '../support/hub-harness.ts';
import { handMadeModel, sameBits, xorshift } from '../support/hub-model.ts';
import { seed } from '../support/seed.ts';
import { follow, helloOf, positionOf, Replica } from '../support/wire-client.ts';

const model = handMadeModel(5000);
let harness: HubHarness;
const agents = new HubAgents(() => harness);

beforeEach(() => {
  harness = new HubHarness(model, seed);
});

afterEach(async () => {
  agents.terminate();
  await harness.remove();
});

describe('an agent that cannot keep up', () => {
  test('gets no more than the window while it does not acknowledge, and one squash when it does', async () => {
    await harness.start();
    const client = await agents.passive('edge-1');
    for (let i = 0; i < 300; i++) {
      harness.publish();
      await client.settled();
    }
    assert.equal(countOf(client, 'delta'), 63, 'with the snapshot 64 transfers');

    const last = client.received.at(-1);
    assert.ok(last?.type === 'delta');
    const head = positionOf(last);
    client.send({ type: 'ack', head, served: head, pinned: false });
    await client.until(() => countOf(client, 'delta') === 64);
    const squash = client.received.at(-1);
    assert.ok(squash?.type === 'delta');
    assert.deepEqual([squash.base, squash.span], [64, 301 - 64]);
    assert.equal(agents.statusOf('edge-1').versionsDelivered, 64);
  });

  test('holds a bounded number of bytes in the hub while it does not read, and arrives later', async (t) => {
    await harness.remove();
    const wide = handMadeModel(300_000);
    harness = new HubHarness(wide, seed);
    await harness.start();
    const replica = new Replica(wide);
    const client = await follow(harness.port, helloOf('edge-1'), replica);
    agents.keep(client);
    await client.until(() => agents.isAtHead(replica));

    const serverSockets = new Set<WebSocket>();
    let frameBytesMax = 0;
    const original = WebSocket.prototype.send;
    t.mock.method(
      WebSocket.prototype,
      'send',
      function (this: WebSocket, ...sent: Parameters<typeof original>) {
        if (this !== client.socket) {
          serverSockets.add(this);
          if (Buffer.isBuffer(sent[0])) frameBytesMax = Math.max(frameBytesMax, sent[0].length);
        }
        return original.apply(this, sent);
      },
    );
    client.socket.pause();
    let bufferedBytesMax = 0;
    const random = xorshift(seed);
    for (let i = 0; i < 40; i++) {
      const indices = Uint32Array.from({ length: 150_000 }, (_, at) => 2 * at);
      harness.learner.publishDelta(harness.log, { indices, valueBits: indices.map(random) });
      harness.hub.published();
      await new Promise((resolve) => setImmediate(resolve));
      for (const { bufferedAmount } of serverSockets)
        bufferedBytesMax = Math.max(bufferedBytesMax, bufferedAmount);
    }
    assert.ok(bufferedBytesMax > 0, 'the agent was slower than the hub');
    assert.ok(bufferedBytesMax <= 4 * 1024 * 1024 + frameBytesMax + 100, `${bufferedBytesMax}`);

    client.socket.resume();
    await client.until(() => agents.isAtHead(replica));
    assert.ok(sameBits(replica.weights, harness.log.headWeights()));
    assert.ok(replica.transfersTaken < 41, 'versions were skipped');
  });

  test('gets a snapshot that is larger than what may wait for its socket', async () => {
    await harness.remove();
    const large = handMadeModel(4_000_000);
    harness = new HubHarness(large, seed);
    await harness.start();
    const replica = new Replica(large);
    const client = await follow(harness.port, helloOf('edge-1'), replica);
    agents.keep(client);
    await client.until(() => agents.isAtHead(replica));
    assert.equal(countOf(client, 'snapshotChunk'), 62);
  });

  test('gets the head, not a snapshot that others took long ago', async () => {
    await harness.start();
    for (const agentId of ['a', 'b', 'c']) {
      const { client } = await agents.following(agentId);
      const begin = client.received.find((message) => message.type === 'snapshotBegin');
      assert.equal(begin?.version, harness.log.head()?.version);
      harness.publish(5000);
    }
  });

  test('gets the stored deltas one by one where they are too many to squash', async () => {
    await harness.remove();
    harness = new HubHarness(model, seed, {
      catchUpLimits: { ...CATCH_UP_LIMITS, squashInputBytesMax: 0 },
    });
    await harness.start();
    const { client, replica } = await agents.following('edge-1');
    await client.close();
    for (let i = 0; i < 20; i++) harness.publish();
    const again = await agents.following('edge-1', replica);
    assert.equal(countOf(again.client, 'delta'), 20);
    assert.ok(sameBits(replica.weights, harness.log.headWeights()));
  });

  test('gets a snapshot when the log forgets the deltas it was being sent', async () => {
    await harness.remove();
    harness = new HubHarness(model, seed, {
      catchUpLimits: { ...CATCH_UP_LIMITS, squashInputBytesMax: 0 },
      keyframeEvery: 100,
      keepVersions: 1,
    });
    await harness.start();
    const first = harness.log.head()!;
    while (harness.log.head()!.version < 90) harness.learner.publish(harness.log, 5);
    const client = await agents.connect();
    client.send(helloOf('edge-1', { modelDigest: model.digest, lineId: harness.log.lineId, head: first }));
    await client.until(() => countOf(client, 'delta') === 64);
    const last = client.received.at(-1);
    assert.ok(last?.type === 'delta' && positionOf(last).version === 65);

    while (harness.log.head()!.version < 100) harness.learner.publish(harness.log, 5);
    assert.equal(harness.log.rootOf(asWeightsVersion(66)), null);
    const head = positionOf(last);
    client.send({ type: 'ack', head, served: head, pinned: false });
    await client.until(() => countOf(client, 'snapshotChunk') === 1);
    assert.equal(countOf(client, 'delta'), 64);
  });
});

describe('an agent that refuses a transfer', () => {
  test('is served again from where it is; refusals of what was already on its way do not count', async () => {
    await harness.start();
    const client = await agents.passive('edge-1');
    const head = harness.log.head()!;
    client.send({ type: 'ack', head, served: head, pinned: false });
    for (let i = 0; i < 6; i++) {
      harness.publish();
      await client.settled();
    }
    // Version 2 is refused as damaged; 3 to 7 are already on their way and do not fit.
    const nack = { type: 'nack' as const, head, reason: 'test' };
    client.send({ ...nack, rejected: asWeightsVersion(2), code: 'ROOT_MISMATCH' });
    for (let version = 3; version <= 7; version++) {
      client.send({ ...nack, rejected: asWeightsVersion(version), code: 'BASE_MISMATCH' });
    }
    await client.until(() => countOf(client, 'delta') === 7);
    const deltas = client.received.filter((message) => message.type === 'delta');
    assert.deepEqual(
      deltas.slice(6).map(({ base, span }) => [base, span]),
      [[1, 6]],
    );
    assert.deepEqual(harness.hub.counts().nacks, { ROOT_MISMATCH: 1, BASE_MISMATCH: 5 });
  });

  test('gets a snapshot after three refusals, and the close code of its reason after the fourth', async () => {
    await harness.start();
    const client = await agents.passive('edge-1');
    const head = harness.log.head()!;
    client.send({ type: 'ack', head, served: head, pinned: false });
    const rejected = harness.publish().version;
    const nack = { type: 'nack' as const, rejected, head, code: 'DELTA_MALFORMED', reason: 'test' };
    for (let i = 0; i < 3; i++) {
      await client.next('delta');
      client.send(nack);
    }
    const begin = await client.next('snapshotBegin');
    assert.equal(begin.version, rejected);
    await client.next('snapshotChunk');
    client.send({ ...nack, code: 'SNAPSHOT_MALFORMED' });
    assert.equal((await client.next('error')).code, 'SNAPSHOT_MALFORMED');
    assert.equal((await client.closed()).code, 4413);
  });
});
