/**
 * Snapshots over a link that breaks: real hub, real link, session and store, a relay in between that ends connections
 * where the test says. What has arrived does not come again, and what comes out is the hub's version to the bit.
 */
import { strict as assert } from 'node:assert';
import { it, type TestContext } from 'node:test';
import { asRoot } from '@freshet/protocol/ids';
import { splitModel } from '@freshet/protocol/model';
import {
  encodeSnapshotChunk,
  SNAPSHOT_CHUNK_ELEMENTS,
  snapshotChunkCount,
} from '@freshet/protocol/snapshot-chunk';
import { beginsOf, type Cut, CuttingProxy, chunksOf, type Passed } from '../support/cutting-proxy.ts';
import { HubHarness } from '../support/hub-harness.ts';
import { sameBits } from '../support/hub-model.ts';
import { type LinkedAgent, linkAgent } from '../support/linked-agent.ts';
import { buildOnnx } from '../support/onnx-builder.ts';
import { seed } from '../support/seed.ts';
import { until } from '../support/until.ts';
import { helloOf, WireClient } from '../support/wire-client.ts';

/** Four chunks, the last of them short. */
const ELEMENT_COUNT = 3 * SNAPSHOT_CHUNK_ELEMENTS + 1000;
const CHUNK_COUNT = 4;

const { model } = splitModel(
  'large',
  buildOnnx({
    nodes: [{ op: 'Gemm', inputs: ['x', 'w'], outputs: ['y'] }],
    initializers: [{ name: 'w', shape: [ELEMENT_COUNT, 1], values: new Float32Array(ELEMENT_COUNT) }],
    inputs: [{ name: 'x', type: 'float32', shape: ['batch', ELEMENT_COUNT] }],
    outputs: [{ name: 'y', type: 'float32', shape: ['batch', 1] }],
  }),
);

interface Setting {
  readonly harness: HubHarness;
  readonly proxy: CuttingProxy;
  readonly agent: LinkedAgent;
}

async function setUp(test: TestContext, cuts: readonly Cut[]): Promise<Setting> {
  const harness = new HubHarness(model, seed);
  await harness.start();
  const proxy = await CuttingProxy.start(test, () => harness.port);
  proxy.cuts.push(...cuts);
  const agent = linkAgent(test, proxy.url);
  // After the agent, as hooks run in the order they were made.
  test.after(() => harness.remove());
  return { harness, proxy, agent };
}

/** The agent holds the hub's head; whatever happened on the way, it is right to the bit. */
async function untilFresh({ harness, agent }: Setting): Promise<void> {
  await until('the agent is at the head', () => agent.store.head()?.version === harness.log.head()?.version);
  assert.deepEqual(agent.store.head(), harness.log.head());
  assert.ok(sameBits(agent.store.headWeights(), harness.log.headWeights()));
}

const connection = ({ proxy }: Setting, index: number): Passed => {
  const passed = proxy.connections[index];
  assert.ok(passed !== undefined, `there is a connection ${index}`);
  return passed;
};

it('the model has as many chunks as these tests take it to have', () =>
  assert.equal(snapshotChunkCount(ELEMENT_COUNT), CHUNK_COUNT));

for (const inChunk of [false, true]) {
  for (let chunkCount = 0; chunkCount < CHUNK_COUNT; chunkCount++) {
    it(`a link cut ${inChunk ? 'in' : 'before'} chunk ${chunkCount} costs what had not arrived`, async (test) => {
      const setting = await setUp(test, [{ chunkCount, inChunk }]);
      await untilFresh(setting);
      const head = setting.harness.log.head();
      const { hello, ...second } = connection(setting, 1);
      assert.deepEqual(hello?.partial, chunkCount === 0 ? null : { ...head, chunkCount });
      assert.deepEqual(beginsOf({ hello, ...second }), [[1, chunkCount]]);
      const all = [connection(setting, 0), connection(setting, 1)].flatMap(chunksOf);
      assert.deepEqual(all, [0, 1, 2, 3]);
    });
  }
}

it('a link that breaks after every chunk brings the snapshot all the same, each chunk once', async (test) => {
  const cut = { chunkCount: 1, inChunk: true };
  const setting = await setUp(test, [cut, cut, cut]);
  await untilFresh(setting);
  assert.deepEqual(setting.proxy.connections.map(chunksOf), [[0], [1], [2], [3]]);
});

it('a version that is no longer the head is finished, and the way from it to the head is a delta', async (test) => {
  const setting = await setUp(test, [{ chunkCount: 2, inChunk: false }]);
  await until('the link is cut', () => setting.agent.link.state === 'waiting');
  setting.harness.publish(50);
  setting.harness.publish(50);
  await untilFresh(setting);
  const second = connection(setting, 1);
  assert.deepEqual(beginsOf(second), [[1, 2]]);
  assert.deepEqual(
    second.messages.map(({ type }) => type),
    ['welcome', 'snapshotBegin', 'snapshotChunk', 'snapshotChunk', 'delta'],
  );
});

it('a hub that has started again goes on where the old one ended', async (test) => {
  const setting = await setUp(test, [{ chunkCount: 3, inChunk: true }]);
  await until('the link is cut', () => setting.agent.link.state === 'waiting');
  await setting.harness.stop();
  await setting.harness.start();
  await untilFresh(setting);
  const last = setting.proxy.connections.at(-1);
  assert.ok(last !== undefined);
  assert.deepEqual(beginsOf(last), [[1, 3]]);
});

it('a snapshot of the head is begun where that is cheaper than the rest and all that follows', async (test) => {
  const setting = await setUp(test, [{ chunkCount: 1, inChunk: false }]);
  await until('the link is cut', () => setting.agent.link.state === 'waiting');
  // Half of the weights, with nothing in common with what they were: about half of a snapshot's bytes, with three
  // quarters of one still to come.
  const { harness } = setting;
  const indices = Uint32Array.from({ length: ELEMENT_COUNT / 2 }, (_, i) => 2 * i);
  harness.learner.publishDelta(harness.log, {
    indices,
    valueBits: indices.map((i) => Math.imul(i + 1, 0x9e37_79b1) & 0x7f7f_ffff),
  });
  harness.hub.published();
  await untilFresh(setting);
  assert.deepEqual(beginsOf(connection(setting, 1)), [[2, 0]]);
});

it('chunks that were damaged on the way and decode show in the root, and all come again', async (test) => {
  const setting = await setUp(test, [{ chunkCount: 2, inChunk: false }]);
  setting.proxy.rewrite = (message) => {
    const isFirst = setting.proxy.connections.length === 1;
    if (message.type !== 'snapshotChunk' || message.index !== 0 || !isFirst) return message;
    return { ...message, bytes: encodeSnapshotChunk(new Float32Array(SNAPSHOT_CHUNK_ELEMENTS).fill(0.5)) };
  };
  await untilFresh(setting);
  const second = connection(setting, 1);
  assert.deepEqual(second.nacks, ['ROOT_MISMATCH']);
  assert.deepEqual(beginsOf(second), [
    [1, 2],
    [1, 0],
  ]);
  assert.deepEqual(chunksOf(second), [2, 3, 0, 1, 2, 3]);
});

it('a chunk that cannot be decoded ends the connection and leaves those before it', async (test) => {
  const setting = await setUp(test, []);
  setting.proxy.rewrite = (message) => {
    const isFirst = setting.proxy.connections.length === 1;
    if (message.type !== 'snapshotChunk' || message.index !== 2 || !isFirst) return message;
    return { ...message, bytes: message.bytes.subarray(0, -1) };
  };
  await untilFresh(setting);
  assert.equal(connection(setting, 1).hello?.partial?.chunkCount, 2);
  assert.deepEqual(beginsOf(connection(setting, 1)), [[1, 2]]);
});

it('a snapshot that the agent does not hold so much of is refused, and begun anew', async (test) => {
  const setting = await setUp(test, [{ chunkCount: 2, inChunk: false }]);
  setting.proxy.rewrite = (message) => {
    const isSecond = setting.proxy.connections.length === 2;
    return message.type === 'snapshotBegin' && isSecond ? { ...message, firstChunk: 1 } : message;
  };
  await untilFresh(setting);
  assert.deepEqual(beginsOf(connection(setting, 1)), [[1, 1]]);
  assert.equal(connection(setting, 2).hello?.partial, null);
  assert.deepEqual(beginsOf(connection(setting, 2)), [[1, 0]]);
});

it('a part of a version that the hub does not have, or of all its chunks, is not gone on with', async (test) => {
  const harness = new HubHarness(model, seed);
  await harness.start();
  test.after(() => harness.remove());
  const head = harness.log.head();
  assert.ok(head !== null);
  const partials = [
    { ...head, root: asRoot('ff'.repeat(32)), chunkCount: 2 },
    { ...head, version: (head.version + 1) as typeof head.version, chunkCount: 2 },
    { ...head, chunkCount: CHUNK_COUNT },
    { ...head, chunkCount: 0xffff_ffff },
  ];
  for (const partial of partials) {
    const client = await WireClient.connect(harness.port);
    client.send(helloOf('device', { modelDigest: model.digest, lineId: harness.log.lineId, partial }));
    await client.next('welcome');
    assert.equal((await client.next('snapshotBegin')).firstChunk, 0);
    client.socket.terminate();
  }
});
