/** Operators' orders on their way to agents: sent in time, in order, and until they are answered. */
import { strict as assert } from 'node:assert';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { asAgentId, asWeightsVersion } from '@freshet/protocol/ids';
import { countOf, HubAgents } from '../support/hub-agents.ts';
import { HubHarness } from '../support/hub-harness.ts';
import { handMadeModel } from '../support/hub-model.ts';
import { seed } from '../support/seed.ts';

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

describe('commands', () => {
  const version = asWeightsVersion(1);

  test('reach a connected agent at once and are recorded with its answer', async () => {
    await harness.start();
    const client = await agents.passive('edge-1');
    await agents.confirmHead(client);
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
    const { client, replica } = await agents.following('edge-1');
    await client.close();
    harness.hub.enqueueCommand(['edge-1'], 'pin', version);
    harness.hub.enqueueCommand(['edge-1'], 'follow', null);
    await harness.stop();
    await harness.start();

    const back = await agents.following('edge-1', replica);
    await back.client.until(() => countOf(back.client, 'command') === 2);
    const [pin, followAgain] = back.client.received.filter((message) => message.type === 'command');
    assert.deepEqual([pin?.action, followAgain?.action], ['pin', 'follow']);
    back.client.send({ type: 'commandResult', id: pin!.id, ok: true, outcome: 'pinned' });
    await back.client.settled();
    await back.client.close();

    const third = await agents.following('edge-1', replica);
    assert.deepEqual(
      third.client.received.filter((message) => message.type === 'command').map(({ id }) => id),
      [followAgain?.id],
    );
  });

  test('to pin a version wait until the agent has it, and later ones wait behind them', async () => {
    await harness.start();
    const client = await agents.passive('edge-1');
    await agents.confirmHead(client);
    const second = harness.publish();
    const third = harness.publish();
    harness.hub.enqueueCommand(['edge-1'], 'pin', third.version);
    harness.hub.enqueueCommand(['edge-1'], 'follow', null);
    await client.settled();
    assert.equal(countOf(client, 'command'), 0);
    client.send({ type: 'ack', head: second, served: second, pinned: false });
    await client.settled();
    assert.equal(countOf(client, 'command'), 0);
    await agents.confirmHead(client);
    assert.deepEqual(
      client.received.filter((message) => message.type === 'command').map(({ action }) => action),
      ['pin', 'follow'],
    );
  });

  test('to pin a version reach an agent that comes back older than it, once it has caught up', async () => {
    await harness.start();
    const { client, replica } = await agents.following('edge-1');
    await client.close();
    const head = harness.publish();
    harness.hub.enqueueCommand(['edge-1'], 'pin', head.version);
    const back = await agents.following('edge-1', replica);
    await back.client.until(() => countOf(back.client, 'command') === 1);
    assert.deepEqual(
      back.client.received.map(({ type }) => type),
      ['welcome', 'delta', 'command'],
    );
  });

  test('are not accepted for agents or versions that do not exist', async () => {
    await harness.start();
    await agents.following('edge-1');
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
