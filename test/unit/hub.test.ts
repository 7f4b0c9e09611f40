/**
 * The hub with real sockets: what reaches an agent, what a bad one costs, and what outlives a restart.
 */
import { strict as assert } from 'node:assert';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { asAgentId, asLineId, asModelDigest, asRoot, asWeightsVersion } from '@freshet/protocol/ids';
import { UPSTREAM_FRAME_BYTES_MAX } from '@freshet/protocol/limits';
import type { DownstreamMessage } from '@freshet/protocol/messages';
import { modelOfMessage } from '@freshet/protocol/model';
import { snapshotChunkCount } from '@freshet/protocol/snapshot-chunk';
import { PROTOCOL_VERSION } from '@freshet/protocol/version';
import WebSocket from 'ws';
import { CATCH_UP_LIMITS } from '../../trainer/core/catch-up-plan.ts';
import { HubHarness } from '../support/hub-harness.ts';
import { handMadeModel, sameBits, xorshift } from '../support/hub-model.ts';
import { seed } from '../support/seed.ts';
import { until } from '../support/until.ts';
import { follow, helloOf, positionOf, Replica, WireClient } from '../support/wire-client.ts';

const model = handMadeModel(5000);
let harness: HubHarness;
let clients: WireClient[];

beforeEach(() => {
  harness = new HubHarness(model, seed);
  clients = [];
});

afterEach(async () => {
  for (const client of clients) client.socket.terminate();
  await harness.remove();
});

async function connect(): Promise<WireClient> {
  const client = await WireClient.connect(harness.port);
  clients.push(client);
  return client;
}

/** A proper agent that has caught up with the head. */
async function following(agentId: string, replica = new Replica(model)) {
  const known = replica.head === null ? {} : { lineId: harness.log.lineId, modelDigest: model.digest };
  const hello = helloOf(agentId, { ...known, head: replica.head, served: replica.head });
  const client = await follow(harness.port, hello, replica);
  clients.push(client);
  await client.until(() => isAtHead(replica));
  await client.settled();
  return { client, replica };
}

function isAtHead(replica: Replica): boolean {
  return replica.head?.version === harness.log.head()?.version;
}

/** An agent that has taken the first snapshot and does nothing by itself from then on. */
async function passive(agentId: string): Promise<WireClient> {
  const client = await connect();
  client.send(helloOf(agentId));
  await client.next('welcome');
  await client.next('model');
  await client.next('snapshotBegin');
  for (let left = snapshotChunkCount(model.elementCount); left > 0; left--)
    await client.next('snapshotChunk');
  return client;
}

/** Acknowledges the hub's head. */
async function confirmHead(client: WireClient): Promise<void> {
  const head = harness.log.head()!;
  client.send({ type: 'ack', head, served: head, pinned: false });
  await client.settled();
}

function statusOf(agentId: string) {
  const status = harness.hub.agents().find((agent) => agent.agentId === agentId);
  assert.ok(status !== undefined);
  return status;
}

function countOf(client: WireClient, type: DownstreamMessage['type']): number {
  return client.received.filter((message) => message.type === type).length;
}

describe('an agent that connects', () => {
  test('with nothing gets model and snapshot, and each version after that as one delta', async () => {
    await harness.start();
    for (let i = 0; i < 5; i++) harness.publish();
    const { client, replica } = await following('edge-1');
    assert.deepEqual(client.received[0], {
      type: 'welcome',
      protocol: PROTOCOL_VERSION,
      modelId: model.modelId,
      modelDigest: model.digest,
      lineId: harness.log.lineId,
      head: { version: 6, proof: { root: harness.log.head()?.root, signature: null } },
      heartbeatMs: 60_000,
      rotations: [],
    });
    const [, announced] = client.received;
    assert.ok(announced?.type === 'model');
    assert.deepEqual(Buffer.from(announced.graph), Buffer.from(model.graph));

    for (let i = 0; i < 7; i++) {
      harness.publish();
      await client.until(() => isAtHead(replica));
    }
    assert.ok(sameBits(replica.weights, harness.log.headWeights()));
    assert.deepEqual(
      client.received.map(({ type }) => type),
      ['welcome', 'model', 'snapshotBegin', 'snapshotChunk', ...Array(7).fill('delta')],
    );
    assert.equal(replica.transfersTaken, 8);
  });

  test('with the model and an older version gets neither again, but one squashed delta', async () => {
    await harness.start();
    const { client, replica } = await following('edge-1');
    await client.close();
    for (let i = 0; i < 9; i++) harness.publish();
    const again = await following('edge-1', replica);
    assert.deepEqual(
      again.client.received.map(({ type }) => type),
      ['welcome', 'delta'],
    );
    assert.ok(sameBits(replica.weights, harness.log.headWeights()));
  });

  test('before there is a version is told to come back', async () => {
    await harness.start({ firstVersion: false });
    await assert.rejects(connect(), /503/);
    harness.learner.start(harness.log);
    await following('edge-1');
  });

  test('beyond the number of connections is told to come back', async () => {
    await harness.remove();
    harness = new HubHarness(model, seed, { sessionsMax: 1 });
    await harness.start();
    const first = await connect();
    await assert.rejects(connect(), /503/);
    first.socket.terminate();
  });
});

describe('an agent of another history is refused', () => {
  const own = () => ({ modelDigest: model.digest, lineId: harness.log.lineId });
  const root = asRoot('ab'.repeat(32));
  const cases = {
    'another line': { overrides: () => ({ lineId: asLineId('00'.repeat(16)) }), code: 4405 },
    'a version above the head': {
      overrides: () => ({ ...own(), head: { version: asWeightsVersion(9), root } }),
      code: 4405,
    },
    'other weights of a version': {
      overrides: () => ({ ...own(), head: { version: asWeightsVersion(1), root } }),
      code: 4405,
    },
    'weights of another model': {
      overrides: () => ({
        modelDigest: asModelDigest('00'.repeat(32)),
        head: { version: asWeightsVersion(1), root },
      }),
      code: 4404,
    },
    'a protocol of the future': { overrides: () => ({ protocolMin: 7, protocolMax: 9 }), code: 4402 },
  };
  for (const [name, { overrides, code }] of Object.entries(cases)) {
    test(name, async () => {
      await harness.start();
      const client = await connect();
      client.send(helloOf('edge-1', overrides()));
      const error = await client.next('error');
      assert.deepEqual(await client.closed(), { code, reason: error.code });
      assert.deepEqual(harness.hub.agents(), []);
    });
  }
});

describe('fan-out', () => {
  test('sends the very same Buffer to all sockets', async (t) => {
    await harness.start();
    const agents = await Promise.all(['a', 'b', 'c'].map((agentId) => following(agentId)));
    const send = t.mock.method(WebSocket.prototype, 'send');
    const published = harness.publish();
    await Promise.all(agents.map(({ client, replica }) => client.until(() => isAtHead(replica))));
    const frames = send.mock.calls
      .map(({ arguments: [frame] }) => frame)
      .filter((frame): frame is Buffer => Buffer.isBuffer(frame) && frame.length > 100);
    assert.equal(frames.length, 3);
    assert.equal(new Set(frames).size, 1);
    assert.deepEqual(agents[0]?.replica.head, published);
  });

  test('encodes a squash once for all agents that lag alike', async (t) => {
    await harness.start();
    const agents = await Promise.all(['a', 'b', 'c'].map((agentId) => following(agentId)));
    await Promise.all(agents.map(({ client }) => client.close()));
    for (let i = 0; i < 20; i++) harness.publish();
    const send = t.mock.method(WebSocket.prototype, 'send');
    await Promise.all(agents.map(({ replica }, i) => following('abc'[i]!, replica)));
    const frames = send.mock.calls
      .map(({ arguments: [frame] }) => frame)
      .filter((frame): frame is Buffer => Buffer.isBuffer(frame) && frame.length > 200);
    assert.equal(frames.length, 3);
    assert.equal(new Set(frames).size, 1);
    assert.ok(harness.hub.counts().sentBytes.squash > 0);
  });

  test('reaches more agents than fit into one turn of the event loop', async () => {
    await harness.start();
    const agents = await Promise.all(Array.from({ length: 150 }, (_, i) => following(`edge-${i}`)));
    harness.publish();
    harness.publish();
    await Promise.all(agents.map(({ client, replica }) => client.until(() => isAtHead(replica))));
    for (const { replica } of agents) assert.ok(sameBits(replica.weights, harness.log.headWeights()));
  });
});

describe('an agent that cannot keep up', () => {
  test('gets no more than the window while it does not acknowledge, and one squash when it does', async () => {
    await harness.start();
    const client = await passive('edge-1');
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
    assert.equal(statusOf('edge-1').versionsDelivered, 64);
  });

  test('holds a bounded number of bytes in the hub while it does not read, and arrives later', async (t) => {
    await harness.remove();
    const wide = handMadeModel(300_000);
    harness = new HubHarness(wide, seed);
    await harness.start();
    const replica = new Replica(wide);
    const client = await follow(harness.port, helloOf('edge-1'), replica);
    clients.push(client);
    await client.until(() => isAtHead(replica));

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
    await client.until(() => isAtHead(replica));
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
    clients.push(client);
    await client.until(() => isAtHead(replica));
    assert.equal(countOf(client, 'snapshotChunk'), 62);
  });

  test('gets the head, not a snapshot that others took long ago', async () => {
    await harness.start();
    for (const agentId of ['a', 'b', 'c']) {
      const { client } = await following(agentId);
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
    const { client, replica } = await following('edge-1');
    await client.close();
    for (let i = 0; i < 20; i++) harness.publish();
    const again = await following('edge-1', replica);
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
    const client = await connect();
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
    const client = await passive('edge-1');
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
    await client.settled();
    const deltas = client.received.filter((message) => message.type === 'delta');
    assert.deepEqual(
      deltas.slice(6).map(({ base, span }) => [base, span]),
      [[1, 6]],
    );
    assert.deepEqual(harness.hub.counts().nacks, { ROOT_MISMATCH: 1, BASE_MISMATCH: 5 });
  });

  test('gets a snapshot after three refusals, and the close code of its reason after the fourth', async () => {
    await harness.start();
    const client = await passive('edge-1');
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
      const { client, replica } = await following('good');
      const bad = await connect();
      act(bad);
      assert.equal((await bad.closed()).code, code);
      harness.publish();
      await client.until(() => isAtHead(replica));
      assert.equal(statusOf('good').connected, true);
    });
  }

  test('an acknowledgement of what was never sent', async () => {
    await harness.start();
    const client = await passive('edge-1');
    const head = { version: asWeightsVersion(50), root: asRoot('00'.repeat(32)) };
    client.send({ type: 'ack', head, served: null, pinned: false });
    assert.equal((await client.closed()).code, 4403);
  });

  test('silence from the start', async () => {
    await harness.remove();
    harness = new HubHarness(model, seed, { helloTimeoutMs: 100 });
    await harness.start();
    assert.equal((await (await connect()).closed()).code, 4407);
  });

  test('silence is not what heartbeats sound like', async () => {
    await harness.remove();
    harness = new HubHarness(model, seed, { heartbeatMs: 100 });
    await harness.start();
    const { client } = await following('edge-1');
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
    assert.equal(statusOf('edge-1').connected, true);
  });

  test('answers to commands that nobody gave', async () => {
    await harness.start();
    const client = await passive('edge-1');
    for (let id = 100; id < 110; id++) {
      client.send({ type: 'commandResult', id, ok: true, outcome: 'x'.repeat(1000) });
    }
    assert.deepEqual(await client.closed(), { code: 4403, reason: 'MESSAGE_UNEXPECTED' });
  });

  test('silence after hello', async () => {
    await harness.remove();
    harness = new HubHarness(model, seed, { heartbeatMs: 200 });
    await harness.start();
    const client = await passive('edge-1');
    await confirmHead(client);
    assert.equal((await client.closed()).code, 4407);
    assert.equal(statusOf('edge-1').connected, false);
  });
});

test('the same agent connecting again replaces its older session', async () => {
  await harness.start();
  const older = await passive('edge-1');
  const { client, replica } = await following('edge-1');
  assert.equal((await older.next('error')).code, 'AGENT_REPLACED');
  assert.deepEqual(await older.closed(), { code: 4406, reason: 'AGENT_REPLACED' });
  harness.publish();
  await client.until(() => isAtHead(replica));
  assert.equal(statusOf('edge-1').connected, true);
});

describe('commands', () => {
  const version = asWeightsVersion(1);

  test('reach a connected agent at once and are recorded with its answer', async () => {
    await harness.start();
    const client = await passive('edge-1');
    await confirmHead(client);
    const outcome = harness.hub.enqueueCommand('all', 'pin', version);
    assert.ok(outcome.kind === 'enqueued');
    const command = await client.next('command');
    assert.deepEqual(command, {
      type: 'command',
      id: outcome.commands[0]!.id,
      action: 'pin',
      version,
      signature: null,
    });
    client.send({ type: 'commandResult', id: command.id, ok: false, outcome: 'no such version' });
    await client.settled();
    assert.deepEqual(harness.log.commands.find(command.id)?.answer, {
      ok: false,
      outcome: 'no such version',
    });

    harness.hub.enqueueCommand(['edge-1'], 'pin', version);
    harness.hub.enqueueCommand(['edge-1'], 'follow', null);
    await client.settled();
    assert.equal(countOf(client, 'command'), 3, 'each once, though the second is unanswered');
  });

  test('wait for an agent that is away, across a restart of the hub, and are not sent again once answered', async () => {
    await harness.start();
    const { client, replica } = await following('edge-1');
    await client.close();
    harness.hub.enqueueCommand(['edge-1'], 'pin', version);
    harness.hub.enqueueCommand(['edge-1'], 'follow', null);
    await harness.stop();
    await harness.start();

    const back = await following('edge-1', replica);
    await back.client.until(() => countOf(back.client, 'command') === 2);
    const [pin, followAgain] = back.client.received.filter((message) => message.type === 'command');
    assert.deepEqual([pin?.action, followAgain?.action], ['pin', 'follow']);
    back.client.send({ type: 'commandResult', id: pin!.id, ok: true, outcome: 'pinned' });
    await back.client.settled();
    await back.client.close();

    const third = await following('edge-1', replica);
    assert.deepEqual(
      third.client.received.filter((message) => message.type === 'command').map(({ id }) => id),
      [followAgain?.id],
    );
  });

  test('to pin a version wait until the agent has it, and later ones wait behind them', async () => {
    await harness.start();
    const client = await passive('edge-1');
    await confirmHead(client);
    const second = harness.publish();
    const third = harness.publish();
    harness.hub.enqueueCommand(['edge-1'], 'pin', third.version);
    harness.hub.enqueueCommand(['edge-1'], 'follow', null);
    await client.settled();
    assert.equal(countOf(client, 'command'), 0);
    client.send({ type: 'ack', head: second, served: second, pinned: false });
    await client.settled();
    assert.equal(countOf(client, 'command'), 0);
    await confirmHead(client);
    assert.deepEqual(
      client.received.filter((message) => message.type === 'command').map(({ action }) => action),
      ['pin', 'follow'],
    );
  });

  test('to pin a version reach an agent that comes back older than it, once it has caught up', async () => {
    await harness.start();
    const { client, replica } = await following('edge-1');
    await client.close();
    const head = harness.publish();
    harness.hub.enqueueCommand(['edge-1'], 'pin', head.version);
    const back = await following('edge-1', replica);
    await back.client.until(() => countOf(back.client, 'command') === 1);
    assert.deepEqual(
      back.client.received.map(({ type }) => type),
      ['welcome', 'delta', 'command'],
    );
  });

  test('are not accepted for agents or versions that do not exist', async () => {
    await harness.start();
    await following('edge-1');
    assert.deepEqual(harness.hub.enqueueCommand(['edge-1', 'nobody'], 'follow', null), {
      kind: 'agent-unknown',
      agentId: 'nobody',
    });
    assert.deepEqual(harness.hub.enqueueCommand('all', 'pin', asWeightsVersion(9)), {
      kind: 'version-unknown',
      version: 9,
    });
    assert.deepEqual(harness.log.commands.pendingOf(asAgentId('edge-1')), []);
  });
});

describe('what strangers can do to the list of agents', () => {
  test('is to be on it while they are connected, and on no disk, until they confirm a transfer', async () => {
    await harness.start();
    const client = await passive('edge-1');
    assert.equal(statusOf('edge-1').connected, true);
    const all = harness.hub.enqueueCommand('all', 'follow', null);
    assert.ok(all.kind === 'enqueued');
    assert.deepEqual(all.commands, []);
    await client.close();
    await until('the hub has noticed', () => harness.hub.agents().length === 0);

    const proven = await passive('edge-1');
    await confirmHead(proven);
    await proven.close();
    await until('the hub has noticed', () => !statusOf('edge-1').connected);
    await harness.stop();
    await harness.start();
    assert.equal(statusOf('edge-1').versionsDelivered, 1);
  });

  test('ends at its length: further ones are turned away, known ones are not', async () => {
    await harness.remove();
    harness = new HubHarness(model, seed, { agentsMax: 2 });
    await harness.start();
    const { client } = await following('edge-1');
    await following('edge-2');
    await client.close();
    const third = await connect();
    third.send(helloOf('edge-3'));
    const error = await third.next('error');
    assert.deepEqual([error.code, (await third.closed()).reason], ['NOT_READY', 'NOT_READY']);
    assert.match(error.reason, /takes in no new ones/);
    await following('edge-1');
  });

  test('is not to stop the hub with counters that overflow its database', async () => {
    await harness.start();
    const { client } = await following('edge-1');
    const heartbeat = { type: 'heartbeat' as const, head: null, served: null, pinned: false };
    for (let i = 0; i < 2000; i++) {
      const bytesReceived = Number.MAX_SAFE_INTEGER - (i % 2);
      client.send({ ...heartbeat, bytesReceived, inferenceRequests: Number.MAX_SAFE_INTEGER });
    }
    await client.settled();
    await harness.stop();
    await harness.start();
    assert.equal(statusOf('edge-1').bytesReceived, Number.MAX_SAFE_INTEGER);
  });
});

describe('what the hub knows of an agent', () => {
  test('is what it has proven and reported', async () => {
    await harness.start();
    const { client } = await following('edge-1');
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
    const status = statusOf('edge-1');
    assert.equal(status.rootMatches, false);
    assert.equal(status.pinned, true);
    assert.equal(status.inferenceRequests, 7);
    assert.equal(status.lagVersions, 0);
    assert.equal(status.software, 'wire-client/1');
    client.send({ type: 'ack', head, served: head, pinned: false });
    await client.settled();
    assert.equal(statusOf('edge-1').rootMatches, true);
  });

  test('is on disk when the agent has gone', async () => {
    await harness.start();
    const upgraded = once(harness.server, 'upgrade');
    const { client } = await following('edge-1');
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
    const { client, replica } = await following('edge-1');
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
    const before = statusOf('edge-1');
    assert.equal(before.bytesReceived, 6000);
    assert.equal(before.versionsDelivered, 1);
    assert.equal(before.fullModelEquivalentBytes, model.fileBytes);
    await harness.stop();
    await harness.start();

    assert.deepEqual(statusOf('edge-1').bytesSent, before.bytesSent);
    const back = await following('edge-1', replica);
    harness.publish();
    await back.client.until(() => isAtHead(replica));
    back.client.send({ ...heartbeat, bytesReceived: 300 });
    await back.client.settled();
    const after = statusOf('edge-1');
    assert.equal(after.bytesReceived, 6300);
    assert.equal(after.versionsDelivered, 2);
    assert.equal(after.fullModelEquivalentBytes, 2 * model.fileBytes);
    assert.ok(after.bytesSent > before.bytesSent);
  });

  test('counts every byte that leaves the socket after the handshake', async () => {
    await harness.start();
    const client = await connect();
    // ws keeps the TCP socket private; what it has read is the ground truth here.
    const tcp = (client.socket as unknown as { _socket: { bytesRead: number } })._socket;
    const before = tcp.bytesRead;
    client.send(helloOf('edge-1'));
    await client.until(() => countOf(client, 'snapshotChunk') === 1);
    harness.publish();
    await client.until(() => countOf(client, 'delta') === 1);
    assert.equal(statusOf('edge-1').bytesSent, tcp.bytesRead - before);
    const { sentBytes } = harness.hub.counts();
    assert.equal(
      sentBytes.delta + sentBytes.squash + sentBytes.snapshot + sentBytes.other,
      statusOf('edge-1').bytesSent,
    );
  });
});

test('the model message is what an agent makes its model of', async () => {
  await harness.start();
  const client = await connect();
  client.send(helloOf('edge-1'));
  const welcome = await client.next('welcome');
  const message = await client.next('model');
  assert.deepEqual(modelOfMessage(message, welcome.modelDigest), model);
  assert.throws(() => modelOfMessage(message, asModelDigest('00'.repeat(32))), { code: 'FRAME_MALFORMED' });
});
