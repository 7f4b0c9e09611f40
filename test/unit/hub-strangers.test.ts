/** What bad peers and strangers can do to the hub: end their own connection. */
import { strict as assert } from 'node:assert';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { asRoot, asWeightsVersion } from '@freshet/protocol/ids';
import { UPSTREAM_FRAME_BYTES_MAX } from '@freshet/protocol/limits';
import { HubAgents } from '../support/hub-agents.ts';
import { HubHarness } from '../support/hub-harness.ts';
import { handMadeModel } from '../support/hub-model.ts';
import { seed } from '../support/seed.ts';
import { until } from '../support/until.ts';
import { helloOf, type WireClient } from '../support/wire-client.ts';

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

describe('a bad connection costs only itself', () => {
  const cases: Record<string, { act: (client: WireClient) => void; code: number }> = {
    garbage: { act: ({ socket }) => socket.send(Buffer.from([0xff, 0x00, 0x13])), code: 4400 },
    text: { act: ({ socket }) => socket.send('hello'), code: 4400 },
    'a message above the limit': {
      act: ({ socket }) => socket.send(Buffer.alloc(UPSTREAM_FRAME_BYTES_MAX + 1)),
      // ws refuses it before it is in memory, with its own code: RFC 6455 §7.4.1, message too big.
      code: 1009,
    },
    'another message than hello': {
      act: (client) => client.send({ type: 'commandResult', id: 1, ok: true, outcome: '' }),
      code: 4403,
    },
  };
  for (const [name, { act, code }] of Object.entries(cases)) {
    test(name, async () => {
      await harness.start();
      const { client, replica } = await agents.following('good');
      const bad = await agents.connect();
      act(bad);
      assert.equal((await bad.closed()).code, code);
      harness.publish();
      await client.until(() => agents.isAtHead(replica));
      assert.equal(agents.statusOf('good').connected, true);
    });
  }

  test('an acknowledgement of what was never sent', async () => {
    await harness.start();
    const client = await agents.passive('edge-1');
    const head = { version: asWeightsVersion(50), root: asRoot('00'.repeat(32)) };
    client.send({ type: 'ack', head, served: null, pinned: false });
    assert.equal((await client.closed()).code, 4403);
  });

  test('silence from the start', async () => {
    await harness.remove();
    harness = new HubHarness(model, seed, { helloTimeoutMs: 100 });
    await harness.start();
    assert.equal((await (await agents.connect()).closed()).code, 4407);
  });

  test('silence is not what heartbeats sound like', async () => {
    await harness.remove();
    harness = new HubHarness(model, seed, { heartbeatMs: 100 });
    await harness.start();
    const { client } = await agents.following('edge-1');
    const heartbeat = {
      type: 'heartbeat' as const,
      head: null,
      served: null,
      pinned: false,
      bytesReceived: 0,
      inferenceRequests: 0,
    };
    // Twice as long as the hub waits for a silent agent.
    for (const start = performance.now(); performance.now() - start < 500; ) {
      client.send(heartbeat);
      await client.settled();
    }
    assert.equal(agents.statusOf('edge-1').connected, true);
  });

  test('answers to commands that nobody gave', async () => {
    await harness.start();
    const client = await agents.passive('edge-1');
    for (let id = 100; id < 110; id++) {
      client.send({ type: 'commandResult', id, ok: true, outcome: 'x'.repeat(1000) });
    }
    assert.deepEqual(await client.closed(), { code: 4403, reason: 'MESSAGE_UNEXPECTED' });
  });

  test('silence after hello', async () => {
    await harness.remove();
    harness = new HubHarness(model, seed, { heartbeatMs: 200 });
    await harness.start();
    const client = await agents.passive('edge-1');
    await agents.confirmHead(client);
    assert.equal((await client.closed()).code, 4407);
    assert.equal(agents.statusOf('edge-1').connected, false);
  });
});

describe('what strangers can do to the list of agents', () => {
  test('is to be on it while they are connected, and on no disk, until they confirm a transfer', async () => {
    await harness.start();
    const client = await agents.passive('edge-1');
    assert.equal(agents.statusOf('edge-1').connected, true);
    const all = harness.hub.enqueueCommand('all', 'follow', null);
    assert.ok(all.kind === 'enqueued');
    assert.deepEqual(all.commands, []);
    await client.close();
    await until('the hub has noticed', () => harness.hub.agents().length === 0);

    const proven = await agents.passive('edge-1');
    await agents.confirmHead(proven);
    await proven.close();
    await until('the hub has noticed', () => !agents.statusOf('edge-1').connected);
    await harness.stop();
    await harness.start();
    assert.equal(agents.statusOf('edge-1').versionsDelivered, 1);
  });

  test('ends at its length: further ones are turned away, known ones are not', async () => {
    await harness.remove();
    harness = new HubHarness(model, seed, { agentsMax: 2 });
    await harness.start();
    const { client } = await agents.following('edge-1');
    await agents.following('edge-2');
    await client.close();
    const third = await agents.connect();
    third.send(helloOf('edge-3'));
    const error = await third.next('error');
    assert.deepEqual([error.code, (await third.closed()).reason], ['NOT_READY', 'NOT_READY']);
    assert.match(error.reason, /takes in no new ones/);
    await agents.following('edge-1');
  });

  test('is not to stop the hub with counters that overflow its database', async () => {
    await harness.start();
    const { client } = await agents.following('edge-1');
    const heartbeat = { type: 'heartbeat' as const, head: null, served: null, pinned: false };
    for (let i = 0; i < 2000; i++) {
      const bytesReceived = Number.MAX_SAFE_INTEGER - (i % 2);
      client.send({ ...heartbeat, bytesReceived, inferenceRequests: Number.MAX_SAFE_INTEGER });
    }
    await client.settled();
    await harness.stop();
    await harness.start();
    assert.equal(agents.statusOf('edge-1').bytesReceived, Number.MAX_SAFE_INTEGER);
  });
});
