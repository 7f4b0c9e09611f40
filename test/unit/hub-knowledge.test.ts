/** What the hub knows of its agents, in memory and on disk. */
import { strict as assert } from 'node:assert';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { asRoot } from '@freshet/protocol/ids';
import { countOf, HubAgents } from '../support/hub-agents.ts';
import { HubHarness } from '../support/hub-harness.ts';
import { handMadeModel } from '../support/hub-model.ts';
import { seed } from '../support/seed.ts';
import { helloOf } from '../support/wire-client.ts';

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

describe('what the hub knows of an agent', () => {
  test('is what it has proven and reported', async () => {
    await harness.start();
    const { client } = await agents.following('edge-1');
    const head = harness.log.head()!;
    const served = { version: head.version, root: asRoot('77'.repeat(32)) };
    client.send({
      type: 'heartbeat',
      head,
      served,
      pinned: true,
      bytesReceived: 1000,
      inferenceRequests: 7,
    });
    await client.settled();
    const status = agents.statusOf('edge-1');
    assert.equal(status.rootMatches, false);
    assert.equal(status.pinned, true);
    assert.equal(status.inferenceRequests, 7);
    assert.equal(status.lagVersions, 0);
    assert.equal(status.software, 'wire-client/1');
    client.send({ type: 'ack', head, served: head, pinned: false });
    await client.settled();
    assert.equal(agents.statusOf('edge-1').rootMatches, true);
  });

  test('is on disk when the agent has gone', async () => {
    await harness.start();
    const upgraded = once(harness.server, 'upgrade');
    const { client } = await agents.following('edge-1');
    const [, serverSocket] = (await upgraded) as [unknown, Socket];
    const gone = once(serverSocket, 'close');
    await client.close();
    await gone;
    await new Promise((resolve) => setImmediate(resolve));
    const [record] = harness.log.agents.all();
    assert.deepEqual(record?.head, harness.log.head());
    assert.equal(record?.versionsDelivered, 1);
  });

  test('adds up over restarts of the hub and of the agent', async () => {
    await harness.start();
    const { client, replica } = await agents.following('edge-1');
    const heartbeat = {
      type: 'heartbeat' as const,
      head: null,
      served: null,
      pinned: false,
      inferenceRequests: 0,
    };
    client.send({ ...heartbeat, bytesReceived: 5000 });
    client.send({ ...heartbeat, bytesReceived: 6000 });
    await client.settled();
    const before = agents.statusOf('edge-1');
    assert.equal(before.bytesReceived, 6000);
    assert.equal(before.versionsDelivered, 1);
    assert.equal(before.fullModelEquivalentBytes, model.fileBytes);
    await harness.stop();
    await harness.start();

    assert.deepEqual(agents.statusOf('edge-1').bytesSent, before.bytesSent);
    const back = await agents.following('edge-1', replica);
    harness.publish();
    await back.client.until(() => agents.isAtHead(replica));
    back.client.send({ ...heartbeat, bytesReceived: 300 });
    await back.client.settled();
    const after = agents.statusOf('edge-1');
    assert.equal(after.bytesReceived, 6300);
    assert.equal(after.versionsDelivered, 2);
    assert.equal(after.fullModelEquivalentBytes, 2 * model.fileBytes);
    assert.ok(after.bytesSent > before.bytesSent);
  });

  test('counts every byte that leaves the socket after the handshake', async () => {
    await harness.start();
    const client = await agents.connect();
    // ws keeps the TCP socket private; what it has read is the ground truth here.
    const tcp = (client.socket as unknown as { _socket: { bytesRead: number } })._socket;
    const before = tcp.bytesRead;
    client.send(helloOf('edge-1'));
    await client.until(() => countOf(client, 'snapshotChunk') === 1);
    harness.publish();
    await client.until(() => countOf(client, 'delta') === 1);
    assert.equal(agents.statusOf('edge-1').bytesSent, tcp.bytesRead - before);
    const { sentBytes } = harness.hub.counts();
    assert.equal(
      sentBytes.delta + sentBytes.squash + sentBytes.snapshot + sentBytes.other,
      agents.statusOf('edge-1').bytesSent,
    );
  });
});
