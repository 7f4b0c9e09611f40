/** The hub with real sockets: who is let in, what an agent gets first, and how a publish reaches all. */
import { strict as assert } from 'node:assert';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { asLineId, asModelDigest, asRoot, asWeightsVersion } from '@freshet/protocol/ids';
import { modelOfMessage } from '@freshet/protocol/model';
import { PROTOCOL_VERSION } from '@freshet/protocol/version';
import WebSocket from 'ws';
import { HubAgents } from '../support/hub-agents.ts';
import { HubHarness } from '../support/hub-harness.ts';
import { handMadeModel, sameBits } from '../support/hub-model.ts';
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

describe('an agent that connects', () => {
  test('with nothing gets model and snapshot, and each version after that as one delta', async () => {
    await harness.start();
    for (let i = 0; i < 5; i++) harness.publish();
    const { client, replica } = await agents.following('edge-1');
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
      await client.until(() => agents.isAtHead(replica));
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
    const { client, replica } = await agents.following('edge-1');
    await client.close();
    for (let i = 0; i < 9; i++) harness.publish();
    const again = await agents.following('edge-1', replica);
    assert.deepEqual(
      again.client.received.map(({ type }) => type),
      ['welcome', 'delta'],
    );
    assert.ok(sameBits(replica.weights, harness.log.headWeights()));
  });

  test('before there is a version is told to come back', async () => {
    await harness.start({ firstVersion: false });
    await assert.rejects(agents.connect(), /503/);
    harness.learner.start(harness.log);
    await agents.following('edge-1');
  });

  test('beyond the number of connections is told to come back', async () => {
    await harness.remove();
    harness = new HubHarness(model, seed, { sessionsMax: 1 });
    await harness.start();
    const first = await agents.connect();
    await assert.rejects(agents.connect(), /503/);
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
      const client = await agents.connect();
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
    const group = await Promise.all(['a', 'b', 'c'].map((agentId) => agents.following(agentId)));
    const send = t.mock.method(WebSocket.prototype, 'send');
    const published = harness.publish();
    await Promise.all(group.map(({ client, replica }) => client.until(() => agents.isAtHead(replica))));
    const frames = send.mock.calls
      .map(({ arguments: [frame] }) => frame)
      .filter((frame): frame is Buffer => Buffer.isBuffer(frame) && frame.length > 100);
    assert.equal(frames.length, 3);
    assert.equal(new Set(frames).size, 1);
    assert.deepEqual(group[0]?.replica.head, published);
  });

  test('encodes a squash once for all agents that lag alike', async (t) => {
    await harness.start();
    const group = await Promise.all(['a', 'b', 'c'].map((agentId) => agents.following(agentId)));
    await Promise.all(group.map(({ client }) => client.close()));
    for (let i = 0; i < 20; i++) harness.publish();
    const send = t.mock.method(WebSocket.prototype, 'send');
    await Promise.all(group.map(({ replica }, i) => agents.following('abc'[i]!, replica)));
    const frames = send.mock.calls
      .map(({ arguments: [frame] }) => frame)
      .filter((frame): frame is Buffer => Buffer.isBuffer(frame) && frame.length > 200);
    assert.equal(frames.length, 3);
    assert.equal(new Set(frames).size, 1);
    assert.ok(harness.hub.counts().sentBytes.squash > 0);
  });

  test('reaches more agents than fit into one turn of the event loop', async () => {
    await harness.start();
    const group = await Promise.all(Array.from({ length: 150 }, (_, i) => agents.following(`edge-${i}`)));
    harness.publish();
    harness.publish();
    await Promise.all(group.map(({ client, replica }) => client.until(() => agents.isAtHead(replica))));
    for (const { replica } of group) assert.ok(sameBits(replica.weights, harness.log.headWeights()));
  });
});

test('the same agent connecting again replaces its older session', async () => {
  await harness.start();
  const older = await agents.passive('edge-1');
  const { client, replica } = await agents.following('edge-1');
  assert.equal((await older.next('error')).code, 'AGENT_REPLACED');
  assert.deepEqual(await older.closed(), { code: 4406, reason: 'AGENT_REPLACED' });
  harness.publish();
  await client.until(() => agents.isAtHead(replica));
  assert.equal(agents.statusOf('edge-1').connected, true);
});

test('the model message is what an agent makes its model of', async () => {
  await harness.start();
  const client = await agents.connect();
  client.send(helloOf('edge-1'));
  const welcome = await client.next('welcome');
  const message = await client.next('model');
  assert.deepEqual(modelOfMessage(message, welcome.modelDigest), model);
  assert.throws(() => modelOfMessage(message, asModelDigest('00'.repeat(32))), { code: 'FRAME_MALFORMED' });
});
