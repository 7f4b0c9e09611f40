/** The link against hubs that misbehave: real WebSockets, and a hub that says what the test wants. */
import { strict as assert } from 'node:assert';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { it, type TestContext } from 'node:test';
import type { SessionPorts } from '@freshet/edge-agent/core/session-ports';
import { HubLink, type LinkState, syncUrlOf } from '@freshet/edge-agent/link/hub-link';
import { downstreamCodec } from '@freshet/protocol/codec';
import { ERROR_TRAITS } from '@freshet/protocol/errors';
import { asAgentId, asRoot, asWeightsVersion } from '@freshet/protocol/ids';
import type { DownstreamMessage } from '@freshet/protocol/messages';
import { modelMessage, splitModel } from '@freshet/protocol/model';
import { PROTOCOL_VERSION } from '@freshet/protocol/version';
import { pino } from 'pino';
import { type WebSocket, WebSocketServer } from 'ws';
import { sumModel } from '../support/onnx-models.ts';
import { LINE } from '../support/tiny-model.ts';
import { until } from '../support/until.ts';

const { model } = splitModel('sum', sumModel(1));

const welcome: DownstreamMessage = {
  type: 'welcome',
  protocol: PROTOCOL_VERSION,
  modelId: model.modelId,
  modelDigest: model.digest,
  lineId: LINE,
  head: { version: asWeightsVersion(1), proof: { root: asRoot('00'.repeat(32)), signature: null } },
  heartbeatMs: 20,
  rotations: [],
};

/** A store that takes a model and nothing else. */
const emptyStore: SessionPorts['store'] = {
  identity: null,
  head: () => null,
  pinned: () => null,
  adoptModel: () => undefined,
  commitDelta: () => ({ kind: 'gap', head: null }),
  commitSnapshot: () => ({ kind: 'duplicate' }),
};

interface Setting {
  readonly link: HubLink;
  readonly states: LinkState[];
  /** Connections that the hub has seen. */
  connections(): number;
}

/** `greet` is what the hub does once an agent has said hello. */
async function setUp(test: TestContext, greet: (agent: WebSocket) => void): Promise<Setting> {
  const hub = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await once(hub, 'listening');
  let connections = 0;
  hub.on('connection', (agent) => {
    connections++;
    agent.once('message', () => greet(agent));
  });
  const states: LinkState[] = [];
  const link = new HubLink({
    syncUrl: syncUrlOf(`ws://127.0.0.1:${(hub.address() as AddressInfo).port}`),
    log: pino({ level: 'silent' }),
    random: () => 0,
    ports: {
      store: emptyStore,
      publisher: { current: () => null, follow: () => undefined },
      agentId: asAgentId('device'),
      software: 'test',
      served: () => null,
      onAdvanced: () => undefined,
      onRefused: () => undefined,
      onCommand: () => undefined,
      onSampleFormat: () => undefined,
      onSamplesAnswered: () => undefined,
    },
    inferenceRequests: () => 0,
    onStateChange: (state) => states.push(state),
    welcomeTimeoutMs: 50,
  });
  test.after(async () => {
    await link.close();
    for (const agent of hub.clients) agent.terminate();
    hub.close();
  });
  link.open();
  return { link, states, connections: () => connections };
}

const send = (agent: WebSocket, message: DownstreamMessage) => agent.send(downstreamCodec.encode(message));

it('a hub that accepts and says nothing is left, and tried again', async (test) => {
  const { connections } = await setUp(test, () => undefined);
  await until('it has tried again', () => connections() >= 3);
});

it('a model that was damaged on the way is asked for again', async (test) => {
  const { connections, states } = await setUp(test, (agent) => {
    send(agent, welcome);
    const graph = model.graph.slice();
    graph[graph.length - 1]! ^= 1;
    send(agent, { ...modelMessage(model), graph });
  });
  await until('it has tried again', () => connections() >= 2);
  assert(!states.includes('refused'));
});

it('a refusal of the hub is kept and shown, and ends the quick attempts', async (test) => {
  const { link, connections } = await setUp(test, (agent) => {
    send(agent, { type: 'error', code: 'LINE_MISMATCH', reason: 'another line' });
    agent.close(ERROR_TRAITS.LINE_MISMATCH.closeCode, 'LINE_MISMATCH');
  });
  await until('it is refused', () => link.state === 'refused');
  assert.equal(link.refusal?.code, 'LINE_MISMATCH');
  assert.equal(connections(), 1);
});

it('closing does not wait for a hub that hangs', async (test) => {
  const { link, states } = await setUp(test, (agent) => {
    send(agent, welcome);
    // It reads no more, and so never answers the close frame.
    agent.pause();
  });
  await until('the session stands', () => link.state === 'live');
  await link.close();
  assert.equal(link.session, null);
  assert.equal(states.at(-1), 'closed');
});

it('the path of a proxy stays in the address', () => {
  assert.equal(syncUrlOf('wss://example.org/freshet/'), 'wss://example.org/freshet/v1/sync');
  assert.equal(syncUrlOf('ws://example.org:7400'), 'ws://example.org:7400/v1/sync');
  assert.throws(() => syncUrlOf('ws://example.org#fragment'), /--hub must be/);
});
