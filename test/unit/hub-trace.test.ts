/** The trace context of a publish goes with the delta that is sent as it happens, and with nothing else. */
import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { formatTraceparent } from '@freshet/protocol/local/format';
import { HubHarness } from '../support/hub-harness.ts';
import { handMadeModel } from '../support/hub-model.ts';
import { seed } from '../support/seed.ts';
import { follow, helloOf, Replica } from '../support/wire-client.ts';

/** The example of https://www.w3.org/TR/trace-context/#traceparent-header-field-values. */
const TEXT = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
const TRACE = TEXT.replaceAll('-', '');

test('a traced version says so to agents that follow, and not to one that comes later', async (test) => {
  const harness = new HubHarness(handMadeModel(5000), seed);
  test.after(() => harness.remove());
  await harness.start();
  const replica = new Replica(harness.learner.model);
  const client = await follow(harness.port, helloOf('edge-1'), replica);
  test.after(() => client.socket.terminate());
  await client.until(() => replica.head?.version === 1);
  harness.learner.publish(harness.log, 10);
  harness.hub.published(TRACE);
  await client.until(() => replica.head?.version === 2);
  harness.learner.publish(harness.log, 10);
  harness.hub.published();
  await client.until(() => replica.head?.version === 3);
  const traces = client.received.flatMap((message) =>
    message.type === 'delta' ? [message.traceparent] : [],
  );
  assert.deepEqual(traces, [TRACE, null]);
  await client.close();
  assert.equal(formatTraceparent(TRACE), TEXT);
});

test('who is one version behind long after the publish is catching up, without its trace', async (test) => {
  const harness = new HubHarness(handMadeModel(5000), seed);
  test.after(() => harness.remove());
  await harness.start();
  const first = new Replica(harness.learner.model);
  const client = await follow(harness.port, helloOf('edge-1'), first);
  await client.until(() => first.head?.version === 1);
  await client.close();
  const witness = new Replica(harness.learner.model);
  const live = await follow(harness.port, helloOf('edge-2'), witness);
  test.after(() => live.socket.terminate());
  await live.until(() => witness.head?.version === 1);
  harness.learner.publish(harness.log, 10);
  harness.hub.published(TRACE);
  await live.until(() => witness.head?.version === 2);
  const known = { lineId: harness.log.lineId, modelDigest: harness.model.digest };
  const late = await follow(harness.port, helloOf('edge-1', { ...known, head: first.head }), first);
  test.after(() => late.socket.terminate());
  await late.until(() => first.head?.version === 2);
  const classes = [live, late].map(({ received }) =>
    received.flatMap((each) => (each.type === 'delta' ? [[each.trafficClass, each.traceparent]] : [])),
  );
  assert.deepEqual(classes, [[['live', TRACE]], [['catch-up', null]]]);
});
