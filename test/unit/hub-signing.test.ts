/**
 * A hub with a key: every message that moves an agent is signed, by whichever way the agent gets there, and what the
 * planner counts is what goes over the wire.
 */
import { strict as assert } from 'node:assert';
import { afterEach, beforeEach, test } from 'node:test';
import { asWeightsVersion, type Proof } from '@freshet/protocol/ids';
import { isSignedBy, SigningKey } from '@freshet/protocol/signature';
import { encodeSnapshotChunk } from '@freshet/protocol/snapshot-chunk';
import { commandStatement, versionStatement } from '@freshet/protocol/statements';
import { CATCH_UP_LIMITS } from '../../trainer/core/catch-up-plan.ts';
import { deltaWireBytes, snapshotWireBytes } from '../../trainer/core/frame-bytes.ts';
import { HubHarness } from '../support/hub-harness.ts';
import { handMadeModel } from '../support/hub-model.ts';
import { seed } from '../support/seed.ts';
import { follow, helloOf, Replica, type WireClient } from '../support/wire-client.ts';

const key = SigningKey.fromSeed(Buffer.alloc(32, 5));
const model = handMadeModel(5000);
let harness: HubHarness;
let clients: WireClient[];

beforeEach(async () => {
  harness = new HubHarness(model, seed, { signingKey: key });
  await harness.start();
  clients = [];
});

afterEach(async () => {
  for (const client of clients) client.socket.terminate();
  await harness.remove();
});

async function following(replica: Replica): Promise<WireClient> {
  const { head } = replica;
  const known =
    head === null ? {} : { lineId: harness.log.lineId, modelDigest: model.digest, head, served: head };
  const client = await follow(harness.port, helloOf('edge-1', known), replica);
  clients.push(client);
  await untilFresh(client, replica);
  return client;
}

const untilFresh = (client: WireClient, replica: Replica) =>
  client.until(() => replica.head?.version === harness.log.head()?.version);

function assertSigned(version: number, { root, signature }: Proof): void {
  const position = { version: asWeightsVersion(version), root };
  assert.equal(root, harness.log.rootOf(position.version));
  assert.ok(signature !== null, `version ${version} is not signed`);
  const statement = versionStatement(harness.log.lineId, model.digest, position);
  assert.ok(isSignedBy(key.publicKey, statement, signature), `version ${version} is signed otherwise`);
}

/** Asserts that all messages which lead to a version are signed; how many there are of each. */
function assertAllSigned({ received }: WireClient): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const message of received) {
    if (message.type === 'welcome') assertSigned(message.head.version, message.head.proof);
    if (message.type === 'snapshotBegin') assertSigned(message.version, message.proof);
    if (message.type === 'delta') assertSigned(message.base + message.span, message.proof);
    counts[message.type] = (counts[message.type] ?? 0) + 1;
  }
  return counts;
}

test('a newcomer, a follower and a laggard get nothing unsigned', async () => {
  assert.equal(harness.hub.publisherKey, key.publicKey);
  for (let i = 0; i < 3; i++) harness.publish();
  const replica = new Replica(model);
  const live = await following(replica);
  for (let i = 0; i < 4; i++) {
    harness.publish();
    await untilFresh(live, replica);
  }
  const counts = assertAllSigned(live);
  assert.deepEqual([counts['welcome'], counts['snapshotBegin'], counts['delta']], [1, 1, 4]);

  await live.close();
  for (let i = 0; i < 9; i++) harness.publish();
  const late = await following(replica);
  assert.deepEqual(assertAllSigned(late), { welcome: 1, delta: 1 });
  // The signed message is as long as the planner thinks: it would compare wrong sizes otherwise.
  const squash = late.received.at(-1);
  assert.ok(squash?.type === 'delta' && squash.span === 9);
  const { base, span, payload } = squash;
  const shape = { base, next: base + span, payloadBytes: payload.length, signed: true };
  assert.equal(harness.hub.counts().sentBytes.squash, deltaWireBytes(shape));
});

test('deltas that are sent one by one are signed one by one', async () => {
  await harness.remove();
  harness = new HubHarness(model, seed, {
    signingKey: key,
    catchUpLimits: { ...CATCH_UP_LIMITS, squashInputBytesMax: 0 },
  });
  await harness.start();
  const replica = new Replica(model);
  const client = await following(replica);
  await client.close();
  for (let i = 0; i < 5; i++) harness.publish();
  const late = await following(replica);
  assert.deepEqual(assertAllSigned(late), { welcome: 1, delta: 5 });
  const sent = late.received.flatMap((message) => (message.type === 'delta' ? [message] : []));
  assert.ok(sent.every(({ span }) => span === 1));
});

test('an order is signed for the one agent that gets it', async () => {
  const replica = new Replica(model);
  const client = await following(replica);
  await client.settled();
  const outcome = harness.hub.enqueueCommand(['edge-1'], 'pin', asWeightsVersion(1));
  assert.ok(outcome.kind === 'enqueued');
  await client.until(() => client.received.at(-1)?.type === 'command');
  const command = client.received.at(-1);
  assert.ok(command?.type === 'command' && command.signature !== null);
  const [{ agentId }] = outcome.commands as readonly [(typeof outcome.commands)[number]];
  const statement = commandStatement(harness.log.lineId, agentId, command);
  assert.ok(isSignedBy(key.publicKey, statement, command.signature));
});

test('a snapshot costs what its signed frames are long', async () => {
  await following(new Replica(model));
  const chunkBytes = [encodeSnapshotChunk(harness.log.headWeights()).length];
  const shape = { version: 1, signed: true, firstChunk: 0, chunkBytes };
  assert.equal(harness.hub.counts().sentBytes.snapshot, snapshotWireBytes(shape));
});
