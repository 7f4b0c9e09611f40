/**
 * The trainer's HTTP API over a real port that also serves agents.
 */
import { strict as assert } from 'node:assert';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { asWeightsVersion } from '@freshet/protocol/ids';
import { getRequestListener } from '@hono/node-server';
import pino from 'pino';
import { adminApp } from '../../trainer/admin/admin-app.ts';
import { createTrainerMetrics, type TrainerMetrics } from '../../trainer/admin/trainer-metrics.ts';
import { HubHarness } from '../support/hub-harness.ts';
import { handMadeModel } from '../support/hub-model.ts';
import { seed } from '../support/seed.ts';
import { follow, helloOf, Replica, WireClient } from '../support/wire-client.ts';

const TOKEN = 'correct horse battery staple';
const model = handMadeModel(5000);
let harness: HubHarness;
let server: Server;
let metrics: TrainerMetrics;
let url: string;
let clients: WireClient[];

beforeEach(async () => {
  harness = new HubHarness(model, seed);
  await harness.start({ firstVersion: false });
  clients = [];
  metrics = createTrainerMetrics(harness.hub, harness.log);
  const app = adminApp({
    log: harness.log,
    hub: harness.hub,
    metrics,
    learner: () => ({ state: 'stream', backend: 'wasm' }),
    inbox: () => null,
    adminToken: TOKEN,
    logger: pino({ level: 'silent' }),
  });
  server = createServer(getRequestListener(app.fetch));
  harness.hub.attach(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${port()}`;
});

afterEach(async () => {
  for (const client of clients) client.socket.terminate();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await harness.remove();
});

function port(): number {
  return (server.address() as AddressInfo).port;
}

async function get(path: string, headers: Readonly<Record<string, string>> = {}) {
  const response = await fetch(url + path, { headers });
  const text = await response.text();
  return { status: response.status, text, json: () => JSON.parse(text) };
}

async function post(path: string, body: unknown, token: string | null = TOKEN) {
  const headers: Record<string, string> = token === null ? {} : { authorization: `Bearer ${token}` };
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const response = await fetch(url + path, { method: 'POST', body: text, headers });
  return { status: response.status, json: JSON.parse(await response.text()) };
}

/** An agent that has the head, through the same port as the API. */
async function agent(agentId: string): Promise<WireClient> {
  const replica = new Replica(model);
  const client = await follow(port(), helloOf(agentId), replica);
  clients.push(client);
  await client.until(() => replica.head?.version === harness.log.head()?.version);
  await client.settled();
  return client;
}

describe('probes', () => {
  test('alive at once, ready with the first version', async () => {
    assert.equal((await get('/healthz')).status, 200);
    const before = await get('/readyz');
    assert.equal(before.status, 503);
    assert.equal(before.json().code, 'NOT_READY');
    harness.learner.start(harness.log);
    assert.equal((await get('/readyz')).status, 200);
  });

  test('metrics in the text format, with what the hub and the learner have done', async () => {
    harness.learner.start(harness.log);
    const client = await agent('edge-1');
    harness.publish();
    await client.until(() => client.received.at(-1)?.type === 'delta');
    const head = harness.log.head()!;
    client.send({
      type: 'nack',
      rejected: head.version,
      head,
      code: 'such "a" code\n',
      reason: '',
    });
    await client.settled();
    const metric = { name: 'accuracy', better: 'higher', cumulative: 0.75, windowed: 0.5 } as const;
    metrics.learnerAt({ step: 12, samplesSeen: 96, prequentialAccuracy: 0.75, metric });
    const { text } = await get('/metrics');
    const sample = (series: string) => {
      const line = text.split('\n').find((each) => each.startsWith(`${series} `));
      return line === undefined ? undefined : Number(line.slice(series.length));
    };
    assert.equal(sample('freshet_hub_head_version'), 2);
    assert.equal(sample('freshet_hub_connected_agents'), 1);
    assert.equal(sample('freshet_hub_agent_lag_versions{agent="edge-1"}'), 0);
    assert.equal(sample('freshet_hub_publishes_total'), 1);
    assert.equal(sample('freshet_hub_nacks_total{code="OTHER"}'), 1);
    assert.equal(sample('freshet_hub_full_model_equivalent_bytes_total'), 2 * model.fileBytes);
    assert.equal(sample('freshet_learner_step'), 12);
    assert.equal(sample('freshet_learner_prequential_accuracy_ratio'), 0.75);
    assert.equal(sample('freshet_learner_prequential_metric{metric="accuracy"}'), 0.75);
    const { sentBytes } = harness.hub.counts();
    // Three of the four bytes of a weight are noise, and travel as they are.
    assert.ok(sentBytes.snapshot > 3 * model.elementCount);
    for (const kind of ['delta', 'squash', 'snapshot', 'other'] as const) {
      assert.equal(sample(`freshet_hub_sent_bytes_total{kind="${kind}"}`), sentBytes[kind]);
    }
  });
});

test('an agent that has confirmed nothing makes no metrics series and no command', async () => {
  harness.learner.start(harness.log);
  await agent('edge-1');
  const stranger = await WireClient.connect(port());
  clients.push(stranger);
  const own = { modelDigest: model.digest, lineId: harness.log.lineId };
  stranger.send(helloOf('stranger', { ...own, head: harness.log.head() }));
  await stranger.next('welcome');
  const { text } = await get('/metrics');
  assert.match(text, /freshet_hub_agent_lag_versions\{agent="edge-1"\} 0/);
  assert.doesNotMatch(text, /stranger/);
  const { json } = await post('/api/v1/rollback', { version: 1 });
  assert.deepEqual(
    json.commands.map(({ agentId }: { agentId: string }) => agentId),
    ['edge-1'],
  );
});

describe('reading', () => {
  test('status before and after there is a version', async () => {
    const before = (await get('/api/v1/status')).json();
    assert.deepEqual(
      [before.modelId, before.head, before.fullModelBytes, before.agents],
      [null, null, null, []],
    );
    harness.learner.start(harness.log);
    await agent('edge-1');
    const status = (await get('/api/v1/status')).json();
    assert.equal(status.lineId, harness.log.lineId);
    assert.equal(status.modelId, model.modelId);
    assert.equal(status.fullModelBytes, model.fileBytes);
    assert.deepEqual(status.head, harness.log.head());
    assert.deepEqual(status.learner, { state: 'stream', backend: 'wasm' });
    assert.equal(status.agents[0].agentId, 'edge-1');
    assert.equal(status.agents[0].rootMatches, true);
    assert.deepEqual((await get('/api/v1/agents')).json(), { agents: status.agents });
  });

  test('versions page by page', async () => {
    harness.learner.start(harness.log);
    for (let i = 0; i < 5; i++) harness.publish();
    const versionsAt = async (query: string) =>
      (await get(`/api/v1/versions${query}`))
        .json()
        .versions.map(({ version }: { version: number }) => version);
    assert.deepEqual(await versionsAt(''), [6, 5, 4, 3, 2, 1]);
    assert.deepEqual(await versionsAt('?limit=2'), [6, 5]);
    assert.deepEqual(await versionsAt('?limit=2&before=5'), [4, 3]);
    for (const [query, field] of [
      ['?limit=0', 'limit'],
      ['?limit=ten', 'limit'],
      ['?before=-1', 'before'],
    ] as const) {
      const { status, json } = await get(`/api/v1/versions${query}`);
      assert.equal(status, 400);
      assert.match(json().error, new RegExp(`^${field}: `));
    }
  });

  test('what each way from one version to another costs, and whether that is certain', async () => {
    harness.learner.start(harness.log);
    for (let i = 0; i < 5; i++) harness.publish(50);
    const planOf = (query: string) => get(`/api/v1/plan?${query}`, { Authorization: `Bearer ${TOKEN}` });
    const plan = (await planOf('from=2&to=5')).json();
    assert.deepEqual([plan.from, plan.to, plan.deltaCount, plan.chosen], [2, 5, 3, 'squash']);
    assert.ok(plan.wireBytes.squash < plan.wireBytes.chain && plan.wireBytes.chain < plan.wireBytes.snapshot);
    assert.equal(plan.estimated, false, 'one chunk needs no guess');
    assert.equal((await planOf('from=2&to=99')).status, 404);
    assert.equal((await planOf('from=5&to=2')).status, 400);
  });

  test('savings per agent and in total', async () => {
    harness.learner.start(harness.log);
    const [first] = [await agent('edge-1'), await agent('edge-2')];
    for (let i = 0; i < 10; i++) {
      harness.publish();
      await Promise.all(clients.map((client) => client.settled()));
    }
    await first.settled();
    const { total, agents } = (await get('/api/v1/savings')).json();
    const [one, two] = agents;
    assert.equal(one.agentId, 'edge-1');
    assert.equal(one.versionsDelivered, 11);
    assert.equal(one.fullModelEquivalentBytes, 11 * model.fileBytes);
    assert.equal(one.bytesSaved, one.fullModelEquivalentBytes - one.bytesSent);
    assert.equal(one.reductionFactor, one.fullModelEquivalentBytes / one.bytesSent);
    assert.ok(one.reductionFactor > 5);
    assert.equal(total.bytesSent, one.bytesSent + two.bytesSent);
    assert.equal(total.fullModelEquivalentBytes, 22 * model.fileBytes);
  });

  test('what does not exist is 404 as JSON', async () => {
    const { status, json } = await get('/api/v1/nothing');
    assert.equal(status, 404);
    assert.match(json().error, /nothing at \/api\/v1\/nothing/);
    assert.equal((await get('/api/v1/commands/7')).status, 404);
  });
});

describe('roll-back', () => {
  const path = '/api/v1/rollback';

  test('orders agents to pin a version and to follow the head again', async () => {
    harness.learner.start(harness.log);
    const client = await agent('edge-1');
    await agent('edge-2');
    const pin = await post(path, { version: 1, agents: ['edge-1'] });
    assert.equal(pin.status, 200);
    assert.equal(pin.json.commands.length, 1);
    const [{ id }] = pin.json.commands;
    await client.until(() => client.received.at(-1)?.type === 'command');
    assert.deepEqual(client.received.at(-1), {
      type: 'command',
      id,
      action: 'pin',
      version: asWeightsVersion(1),
      signature: null,
    });
    client.send({ type: 'commandResult', id, ok: true, outcome: 'serving version 1' });
    await client.settled();
    const command = (await get(`/api/v1/commands/${id}`)).json();
    assert.deepEqual(command.answer, { ok: true, outcome: 'serving version 1' });

    const back = await post(path, { version: 'head' });
    assert.deepEqual(
      back.json.commands.map(({ agentId, action }: { agentId: string; action: string }) => [agentId, action]),
      [
        ['edge-1', 'follow'],
        ['edge-2', 'follow'],
      ],
    );
  });

  test('needs the token', async () => {
    harness.learner.start(harness.log);
    for (const token of [null, '', 'wrong', TOKEN.slice(0, -1), `${TOKEN}x`]) {
      const { status, json } = await post(path, { version: 1 }, token);
      assert.equal(status, 401);
      assert.match(json.error, /admin token/);
    }
  });

  const refusals: [string, unknown, number, string, RegExp][] = [
    ['an unknown version', { version: 99 }, 404, 'VERSION_UNKNOWN', /^version: 99 is not in the log/],
    ['an unknown agent', { version: 1, agents: ['nobody'] }, 404, 'INPUT_INVALID', /^agents: .*nobody/],
    ['no version', {}, 400, 'INPUT_INVALID', /version/],
    ['a version that is none', { version: 'newest' }, 400, 'INPUT_INVALID', /^version: it must be/],
    ['half a version', { version: 1.5 }, 400, 'INPUT_INVALID', /^version: it must be/],
    ['agents that are no list', { version: 1, agents: 'edge-1' }, 400, 'INPUT_INVALID', /^agents: /],
    ['no agents', { version: 1, agents: [] }, 400, 'INPUT_INVALID', /^agents: /],
    ['an agent that is no name', { version: 1, agents: [3] }, 400, 'INPUT_INVALID', /^agents\.0: /],
    ['a field that does not exist', { version: 1, agent: 'edge-1' }, 400, 'INPUT_INVALID', /agent/],
    ['a body that is no JSON', '{"version": ', 400, 'INPUT_INVALID', /not JSON/],
    ['a body that is too large', `"${'x'.repeat(1024 * 1024)}"`, 413, 'INPUT_INVALID', /larger than/],
  ];
  for (const [name, body, status, code, message] of refusals) {
    test(`refuses ${name}`, async () => {
      harness.learner.start(harness.log);
      await agent('edge-1');
      const answer = await post(path, body);
      assert.deepEqual([answer.status, answer.json.code], [status, code]);
      assert.match(answer.json.error, message);
      assert.equal(harness.log.commands.find(1), null, 'no command was given');
    });
  }
});
