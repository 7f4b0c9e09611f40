/** Going back through a real log, with the real thread: what comes out, and what a damaged or shorter log leads to. */
import { strict as assert } from 'node:assert';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { applyDelta } from '@freshet/protocol/delta';
import { decodeDeltaPayload } from '@freshet/protocol/delta-payload';
import { asWeightsVersion } from '@freshet/protocol/ids';
import { VersionLog, type VersionLogOptions } from '../../trainer/history/version-log.ts';
import { openLogDatabase } from '../../trainer/history/version-log-database.ts';
import { PastVersions } from '../../trainer/hub/ways/past-versions.ts';
import { FakeLearner, handMadeModel, sameBits } from '../support/hub-model.ts';
import { seed } from '../support/seed.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const model = handMadeModel(3000);
const { signal } = new AbortController();

/** A log at version 9, and the weights of version 4. */
function setUp(test: TestContext, options: Partial<VersionLogOptions> = {}) {
  const database = openLogDatabase(join(temporaryDirectory(test), 'versions.db'));
  const log = new VersionLog(database, { clock: () => 0, ...options });
  const past = new PastVersions(log);
  test.after(async () => {
    await past.close();
    log.close();
  });
  const learner = new FakeLearner(model, seed);
  learner.start(log);
  while (log.head()!.version < 4) learner.publish(log, 40);
  const fourth = log.headWeights().slice();
  while (log.head()!.version < 9) learner.publish(log, 40);
  const damage = (sql: string) => database.handle.exec(sql);
  return { log, learner, past, fourth, damage };
}

const four = asWeightsVersion(4);

test('restores a version, and squashes up to what is the head when it begins', async (test) => {
  const { log, learner, past, fourth } = setUp(test);
  assert.ok(sameBits(await past.weightsOf(four, signal), fourth));
  const squashing = past.squash(four, null, signal);
  learner.publish(log, 40);
  const { end, payload } = await squashing;
  assert.ok(payload !== null);
  const weights = fourth.slice();
  applyDelta(weights, decodeDeltaPayload(payload, weights, model));
  assert.ok(sameBits(weights, log.weightsOf(end.version)));
});

test('finds that the log is damaged: an undo that is none, or leads elsewhere', async (test) => {
  const { past, damage } = setUp(test);
  damage("UPDATE deltas SET undo = x'ff' WHERE next = 6");
  const corrupt = {
    code: 'STORE_CORRUPT',
    message: /versions\.db is damaged \(.*\): restore it from a backup/,
  };
  await assert.rejects(past.squash(four, null, signal), corrupt);
  await assert.rejects(past.weightsOf(four, signal), corrupt);
  damage('UPDATE deltas SET undo = (SELECT undo FROM deltas WHERE next = 8) WHERE next = 6');
  await assert.rejects(past.weightsOf(four, signal), corrupt);
});

test('says so when the log has forgotten the run, or never had it whole', async (test) => {
  const { past, damage } = setUp(test);
  await assert.rejects(past.weightsOf(asWeightsVersion(99), signal), { code: 'VERSION_UNKNOWN' });
  damage('DELETE FROM deltas WHERE next = 6');
  await assert.rejects(past.squash(four, null, signal), { code: 'VERSION_UNKNOWN' });
  assert.ok((await past.squash(asWeightsVersion(6), null, signal)).payload !== null);
});

test('gives up what is under way and what waits when it is closed', async (test) => {
  const { past } = setUp(test);
  const waiting = [past.squash(four, null, signal), past.weightsOf(four, signal)];
  const outcomes = Promise.allSettled(waiting);
  await past.close();
  for (const outcome of await outcomes) {
    assert.ok(outcome.status === 'rejected');
    assert.equal(outcome.reason.code, 'NOT_READY');
  }
});
