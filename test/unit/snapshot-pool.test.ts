/**
 * Snapshots in memory: shared while recent, bounded in number, gone with the last lease.
 */
import { strict as assert } from 'node:assert';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { asWeightsVersion } from '@freshet/protocol/ids';
import { VersionLog } from '../../trainer/history/version-log.ts';
import { type SnapshotLease, SnapshotPool } from '../../trainer/hub/snapshot-pool.ts';
import { FakeLearner, handMadeModel } from '../support/hub-model.ts';
import { seed } from '../support/seed.ts';

const ELEMENT_COUNT = 1000;
/** Makes any copy too old to share: an eighth of the snapshot's bytes are 500. */
const MANY = 500;

let directory: string;
let log: VersionLog;
let learner: FakeLearner;
let pool: SnapshotPool;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'freshet-pool-'));
  log = VersionLog.open(join(directory, 'versions.db'), { clock: () => 0 });
  learner = new FakeLearner(handMadeModel(ELEMENT_COUNT), seed);
  learner.start(log);
  pool = new SnapshotPool(log);
});

afterEach(() => {
  log.close();
  rmSync(directory, { recursive: true });
});

function lease(after: number | null = null): SnapshotLease {
  const granted = pool.lease(after === null ? null : asWeightsVersion(after));
  assert.ok(granted !== null);
  return granted;
}

test('a recent copy is shared, also when the head has moved a little', () => {
  const first = lease();
  learner.publish(log, 5);
  const second = lease();
  assert.equal(second.frames, first.frames);
  assert.equal(second.position.version, 1);
});

test('a copy that is too old, or not above where the agent is, is not shared', () => {
  const first = lease();
  learner.publish(log, 5);
  assert.equal(lease(1).position.version, 2);
  first.release();
  learner.publish(log, MANY);
  assert.equal(lease().position.version, 3);
});

test('the number of copies is bounded: newcomers join the newest, or wait when it does not help them', () => {
  const oldest = lease();
  learner.publish(log, MANY);
  lease();
  learner.publish(log, MANY);
  assert.equal(lease(1).position.version, 2);
  assert.equal(pool.lease(asWeightsVersion(2)), null);
  oldest.release();
  assert.equal(lease(2).position.version, 3);
});

test('the last lease takes the copy with it', () => {
  const first = lease();
  const second = lease();
  first.release();
  assert.equal(lease().frames, second.frames);
  assert.throws(() => first.release(), { name: 'InvariantError' });
});

test('the frames hold the weights as they were when the copy was made', () => {
  const { frames } = lease();
  const before = Buffer.concat(frames);
  learner.publish(log, 5);
  assert.ok(Buffer.concat(frames).equals(before));
});
