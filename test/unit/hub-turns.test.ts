/**
 * Catching up an agent does not hold up the others: while its way is made in a thread, the hub answers whoever asks, and
 * when the thread dies, the agent gets to the head all the same. Nothing here depends on how long anything takes.
 */
import { strict as assert } from 'node:assert';
import { describe, it, type TestContext } from 'node:test';
import { asWeightsVersion } from '@freshet/protocol/ids';
import type { DownstreamMessage } from '@freshet/protocol/messages';
import { SNAPSHOT_CHUNK_ELEMENTS } from '@freshet/protocol/snapshot-chunk';
import WebSocket from 'ws';
import { HeldThread } from '../support/held-thread.ts';
import { HubHarness } from '../support/hub-harness.ts';
import { handMadeModel, sameBits } from '../support/hub-model.ts';
import { seed } from '../support/seed.ts';
import { until } from '../support/until.ts';
import { follow, helloOf, Replica, WireClient } from '../support/wire-client.ts';

/** Three chunks. */
const model = handMadeModel(2 * SNAPSHOT_CHUNK_ELEMENTS + 100);
const HEAD = 21;

async function startHub(test: TestContext): Promise<HubHarness> {
  const harness = new HubHarness(model, seed);
  await harness.start();
  test.after(() => harness.remove());
  return harness;
}

/** An agent at the head. */
async function following(
  test: TestContext,
  harness: HubHarness,
  agentId: string,
  replica = new Replica(model),
) {
  const known = replica.head === null ? {} : { lineId: harness.log.lineId, modelDigest: model.digest };
  const client = await follow(harness.port, helloOf(agentId, { ...known, head: replica.head }), replica);
  test.after(() => client.socket.terminate());
  return { client, replica };
}

/** Agents that are left behind at version 1 while the hub goes on to HEAD. */
async function leftBehind(
  test: TestContext,
  harness: HubHarness,
  names: readonly string[],
): Promise<Replica[]> {
  const agents = await Promise.all(names.map((name) => following(test, harness, name)));
  for (const { client, replica } of agents) {
    await client.until(() => replica.head !== null);
    await client.settled();
    await client.close();
  }
  while (harness.log.head()!.version < HEAD) harness.publish(2000);
  return agents.map(({ replica }) => replica);
}

const traffic = ({ received }: WireClient): DownstreamMessage['type'][] =>
  received.flatMap(({ type }) => (type === 'welcome' ? [] : [type]));
const stepsOf = ({ received }: WireClient) =>
  received.flatMap((each) => (each.type === 'delta' ? [[each.base, each.span, each.trafficClass]] : []));
const isAt = (version: number, { head }: Replica): boolean => head?.version === version;

describe('while a way is made', () => {
  it('others are answered and served, and the way leads to what was the head when it was begun', async (test) => {
    const harness = await startHub(test);
    const [late] = await leftBehind(test, harness, ['late']);
    const other = await following(test, harness, 'other');
    await other.client.until(() => isAt(HEAD, other.replica));

    const starting = HeldThread.next();
    const { client } = await following(test, harness, 'late', late);
    const thread = await starting;
    await until('the thread is asked', () => thread.heldCount > 0);
    harness.publish(2000);
    await other.client.until(() => isAt(HEAD + 1, other.replica));
    for (let ping = 0; ping < 3; ping++) await client.settled();
    assert.deepEqual(traffic(client), []);

    thread.release();
    await client.until(() => isAt(HEAD + 1, late!));
    assert.ok(sameBits(late!.weights, harness.log.headWeights()));
    assert.deepEqual(stepsOf(client), [
      [1, HEAD - 1, 'catch-up'],
      [HEAD, 1, 'catch-up'],
    ]);
    assert.deepEqual(stepsOf(other.client), [[HEAD, 1, 'live']]);
  });

  it('all that stand at the same version wait for the same one, and get the same Buffer', async (test) => {
    const harness = await startHub(test);
    const replicas = await leftBehind(test, harness, ['a', 'b', 'c']);
    const starting = HeldThread.next();
    const agents = await Promise.all(
      replicas.map((replica, i) => following(test, harness, 'abc'[i]!, replica)),
    );
    const thread = await starting;
    for (const { client } of agents) await client.settled();
    const frames = new Set<unknown>();
    const own = new Set(agents.map(({ client }) => client.socket));
    const send = WebSocket.prototype.send;
    test.mock.method(
      WebSocket.prototype,
      'send',
      function (this: WebSocket, ...sent: Parameters<typeof send>) {
        if (!own.has(this)) frames.add(sent[0]);
        return send.apply(this, sent);
      },
    );
    thread.release();
    for (const { client, replica } of agents) await client.until(() => isAt(HEAD, replica));
    assert.equal(frames.size, 1);
  });

  it('an agent that leaves is not waited for, and the hub ends at once', async (test) => {
    const harness = await startHub(test);
    const [late] = await leftBehind(test, harness, ['late']);
    const starting = HeldThread.next();
    const { client } = await following(test, harness, 'late', late);
    const thread = await starting;
    await until('the thread is asked', () => thread.heldCount > 0);
    await client.close();
    await harness.stop();
    await harness.start();
    const back = await following(test, harness, 'late', late);
    await back.client.until(() => isAt(HEAD, late!));
  });
});

describe('when the thread dies', () => {
  it('the agent goes the best of the other ways, and the next one gets a squash of a new thread', async (test) => {
    const harness = await startHub(test);
    const [first, second] = await leftBehind(test, harness, ['first', 'second']);
    const starting = HeldThread.next();
    const one = await following(test, harness, 'first', first);
    const thread = await starting;
    await until('the thread is asked', () => thread.heldCount > 0);
    await thread.worker.terminate();
    await one.client.until(() => isAt(HEAD, first!));
    assert.ok(sameBits(first!.weights, harness.log.headWeights()));
    assert.equal(stepsOf(one.client).length, HEAD - 1, 'one by one');

    // To another head, as the way to this one is known.
    harness.publish(2000);
    const two = await following(test, harness, 'second', second);
    await two.client.until(() => isAt(HEAD + 1, second!));
    assert.deepEqual(stepsOf(two.client), [[1, HEAD, 'catch-up']]);
  });

  it('whoever asked for prices is told to ask again', async (test) => {
    const harness = await startHub(test);
    await leftBehind(test, harness, ['late']);
    const weigh = () => harness.hub.weighCatchUp(asWeightsVersion(3), asWeightsVersion(HEAD));
    const starting = HeldThread.next();
    const lost = assert.rejects(weigh(), {
      code: 'NOT_READY',
      message: /the thread for old versions was lost \(exit code 1\): try again/,
    });
    const thread = await starting;
    await until('the thread is asked', () => thread.heldCount > 0);
    await assert.rejects(weigh(), { code: 'NOT_READY', message: /another plan is being made/ });
    await thread.worker.terminate();
    await lost;
    assert.equal((await weigh())?.chain?.count, HEAD - 3);
  });
});

describe('a snapshot of an older version', () => {
  const CHUNK_COUNT = 3;

  it('is restored for who has a part of it, once', async (test) => {
    const harness = await startHub(test);
    const first = { ...harness.log.head()! };
    await leftBehind(test, harness, []);
    const partial = { ...first, chunkCount: CHUNK_COUNT - 1 };
    const hello = { lineId: harness.log.lineId, modelDigest: model.digest, partial };
    const starting = HeldThread.next();
    const clients = await Promise.all(
      ['a', 'b'].map(async (agentId) => {
        const client = await WireClient.connect(harness.port);
        test.after(() => client.socket.terminate());
        client.send(helloOf(agentId, hello));
        return client;
      }),
    );
    const thread = await starting;
    for (const client of clients) await client.settled();
    assert.deepEqual(clients.map(traffic), [[], []]);
    thread.release();
    for (const client of clients) {
      await client.until(() => traffic(client).includes('delta'));
      const begin = client.received.find((each) => each.type === 'snapshotBegin');
      assert.deepEqual([begin?.version, begin?.firstChunk], [1, CHUNK_COUNT - 1]);
      assert.deepEqual(traffic(client), ['snapshotBegin', 'snapshotChunk', 'delta']);
    }
  });

  it('is begun anew from the head where the thread dies', async (test) => {
    const harness = await startHub(test);
    const partial = { ...harness.log.head()!, chunkCount: CHUNK_COUNT - 1 };
    harness.publish(50);
    const starting = HeldThread.next();
    const client = await WireClient.connect(harness.port);
    test.after(() => client.socket.terminate());
    const { lineId } = harness.log;
    client.send(helloOf('a', { lineId, modelDigest: model.digest, partial }));
    const thread = await starting;
    await until('the thread is asked', () => thread.heldCount > 0);
    await thread.worker.terminate();
    await client.until(() => traffic(client).includes('snapshotBegin'));
    const begin = client.received.find((each) => each.type === 'snapshotBegin');
    assert.deepEqual([begin?.version, begin?.firstChunk], [2, 0]);
  });
});
