/** The agent as a whole, on a real store and a real predictor, mostly with nobody at the other end of the link. */
import { strict as assert } from 'node:assert';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { it, type TestContext } from 'node:test';
import { Agent } from '@freshet/edge-agent/agent/agent';
import { downstreamCodec, upstreamCodec } from '@freshet/protocol/codec';
import { FreshetError } from '@freshet/protocol/errors';
import { asAgentId, asWeightsVersion } from '@freshet/protocol/ids';
import type { DownstreamMessage, UpstreamMessage } from '@freshet/protocol/messages';
import { splitModel } from '@freshet/protocol/model';
import { PROTOCOL_VERSION } from '@freshet/protocol/version';
import Database from 'better-sqlite3';
import { pino } from 'pino';
import { WebSocketServer } from 'ws';
import { sumModel } from '../support/onnx-models.ts';
import { storeWith } from '../support/sum-store.ts';
import { LINE, positionOf } from '../support/tiny-model.ts';
import { until } from '../support/until.ts';

/** Nobody listens on the discard port. */
const NOBODY = 'ws://127.0.0.1:9/v1/sync';

async function startAgent(test: TestContext, storePath: string, syncUrl = NOBODY): Promise<Agent> {
  const agent = new Agent({
    agentId: asAgentId('device'),
    storePath,
    hubUrl: NOBODY,
    syncUrl,
    keepVersions: 100,
    log: pino({ level: 'silent' }),
  });
  test.after(() => agent.close());
  await agent.start();
  return agent;
}

const isRefusal = (code: string) => (error: unknown) => error instanceof FreshetError && error.code === code;

it('a roll-back that fails leaves what was served served, and pinned as it was', async (test) => {
  const agent = await startAgent(test, storeWith(test, [1, 2, Number.NaN, 4]));
  assert.equal(agent.served()?.version, 4);
  await agent.rollback({ kind: 'version', version: 1 });
  await assert.rejects(agent.rollback({ kind: 'version', version: 3 }), isRefusal('VERSION_QUARANTINED'));
  assert.equal(agent.served()?.version, 1);
  assert.equal(agent.store.pinned(), 1);
  assert.equal(agent.store.versions().find(({ version }) => version === 3)?.state, 'quarantined');
});

it('a version that answers with NaN is quarantined, and the newest one that does not is served', async (test) => {
  const agent = await startAgent(test, storeWith(test, [1, 2, Number.NaN]));
  assert.equal(agent.served()?.version, 2);
});

it('roll-backs that are asked for at once are carried out one after the other', async (test) => {
  const agent = await startAgent(test, storeWith(test, [1, 2, 3, 4]));
  const reports = await Promise.all([
    agent.rollback({ kind: 'version', version: 2 }),
    agent.rollback({ kind: 'head' }),
    agent.rollback({ kind: 'back', count: 1 }),
  ]);
  assert.deepEqual(
    reports.map(({ before, after }) => [before?.version, after.version]),
    [
      [4, 2],
      [2, 4],
      [4, 3],
    ],
  );
  assert.equal(agent.store.pinned(), 3);
});

it('a roll-back to a version that is damaged on disk is refused, and the agent goes on', async (test) => {
  const path = storeWith(test, [1, 2, 3, 4]);
  const database = new Database(path);
  // Both ways to version 2: forward from 1, and back from 3.
  database.prepare("UPDATE deltas SET payload = x'00', undo = x'00' WHERE version IN (2, 3)").run();
  database.close();
  const agent = await startAgent(test, path);
  await assert.rejects(agent.rollback({ kind: 'version', version: 2 }), isRefusal('STORE_CORRUPT'));
  assert.equal(agent.served()?.version, 4);
  assert.equal(agent.store.pinned(), null);
  assert.equal((await agent.rollback({ kind: 'version', version: 1 })).after.version, 1);
});

it('an order that contradicts itself is answered, and changes nothing', async (test) => {
  const { url, send, received } = await startHub(test);
  const agent = await startAgent(test, storeWith(test, [1, 2, 3]), url);
  const answers = () => received.filter((message) => message.type === 'commandResult');
  const version = asWeightsVersion(1);
  await until('the agent has come', () => received.length > 0);
  send({ type: 'command', id: 1, action: 'follow', version, signature: null });
  send({ type: 'command', id: 2, action: 'pin', version: null, signature: null });
  await until('both are answered', () => answers().length === 2);
  const outcome = 'a pin names a version, and a follow names none';
  assert.deepEqual(answers(), [
    { type: 'commandResult', id: 1, ok: false, outcome },
    { type: 'commandResult', id: 2, ok: false, outcome },
  ]);
  assert.equal(agent.store.pinned(), null);
  assert.equal(agent.served()?.version, 3);

  send({ type: 'command', id: 3, action: 'pin', version, signature: null });
  await until('the pin is answered', () => answers().length === 3);
  assert.equal(agent.store.pinned(), 1);
  send({ type: 'command', id: 4, action: 'follow', version: null, signature: null });
  await until('the follow is answered', () => answers().length === 4);
  assert.equal(agent.store.pinned(), null);
  assert.deepEqual(
    answers().map(({ ok }) => ok),
    [false, false, true, true],
  );
});

/** A hub of the line of `storeWith`, which welcomes one agent and then says what the test wants. */
async function startHub(test: TestContext) {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await once(server, 'listening');
  test.after(() => {
    for (const agent of server.clients) agent.terminate();
    server.close();
  });
  const received: UpstreamMessage[] = [];
  const send = (message: DownstreamMessage) => {
    for (const agent of server.clients) agent.send(downstreamCodec.encode(message));
  };
  const { model, weights } = splitModel('sum', sumModel(3));
  server.on('connection', (agent) => {
    agent.on('message', (bytes: Buffer) => {
      const message = upstreamCodec.decode(bytes);
      received.push(message);
      if (message.type !== 'hello') return;
      send({
        type: 'welcome',
        protocol: PROTOCOL_VERSION,
        modelId: model.modelId,
        modelDigest: model.digest,
        lineId: LINE,
        head: {
          version: asWeightsVersion(3),
          proof: { root: positionOf(model, 3, weights).root, signature: null },
        },
        heartbeatMs: 60_000,
        rotations: [],
      });
    });
  });
  const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, send, received };
}
