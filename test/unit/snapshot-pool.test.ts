/**
 * Snapshots in memory: shared while recent, bounded in number, gone with the last lease.
 */
import { strict as assert } from 'node:assert';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { downstreamCodec } from '@freshet/protocol/codec';
import { asRoot, asWeightsVersion } from '@freshet/protocol/ids';
import { decodeSnapshotChunk } from '@freshet/protocol/snapshot-chunk';
import { VersionLog } from '../../trainer/history/version-log.ts';
import { UNSIGNED } from '../../trainer/hub/signer.ts';
import { type SnapshotLease, SnapshotPool } from '../../trainer/hub/snapshot-pool.ts';
import { FakeLearner, handMadeModel, sameBits } from '../support/hub-model.ts';
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
  pool = new SnapshotPool(log, UNSIGNED);
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
  assert.equal(second.snapshot, first.snapshot);
  assert.equal(second.snapshot.position.version, 1);
});

test('a copy that is too old, or not above where the agent is, is not shared', () => {
  const first = lease();
  learner.publish(log, 5);
  assert.equal(lease(1).snapshot.position.version, 2);
  first.release();
  learner.publish(log, MANY);
  assert.equal(lease().snapshot.position.version, 3);
});

test('the number of copies is bounded: newcomers join the newest, or wait when it does not help them', () => {
  const oldest = lease();
  learner.publish(log, MANY);
  lease();
  learner.publish(log, MANY);
  assert.equal(lease(1).snapshot.position.version, 2);
  assert.equal(pool.lease(asWeightsVersion(2)), null);
  oldest.release();
  assert.equal(lease(2).snapshot.position.version, 3);
});

test('the last lease takes the copy with it', () => {
  const first = lease();
  const second = lease();
  first.release();
  assert.equal(lease().snapshot, second.snapshot);
  assert.throws(() => first.release(), { name: 'InvariantError' });
});

test('the frames hold the weights as they were when the copy was made', () => {
  const { snapshot } = lease();
  const before = log.headWeights().slice();
  learner.publish(log, MANY);
  const chunk = downstreamCodec.decode(snapshot.chunk(0));
  assert.ok(chunk.type === 'snapshotChunk');
  assert.ok(sameBits(decodeSnapshotChunk(chunk.bytes, ELEMENT_COUNT), before));
});

test('a chunk is encoded when it is first asked for, and then the same frame', () => {
  const { snapshot } = lease();
  assert.equal(snapshot.isEncoded(0), false);
  const frame = snapshot.chunk(0);
  assert.equal(snapshot.isEncoded(0), true);
  assert.equal(lease().snapshot.chunk(0), frame);
});

test('who has a part of a version gets that version, made of weights that were restored where it is not in memory', () => {
  const old = { ...log.head()! };
  const before = log.headWeights().slice();
  learner.publish(log, 5);
  const head = lease();
  assert.equal(pool.leaseOf(old), null);
  const resumed = pool.leaseOld(old, log.weightsOf(old.version));
  assert.deepEqual(resumed?.snapshot.position, old);
  const chunk = downstreamCodec.decode(resumed.snapshot.chunk(0));
  assert.ok(chunk.type === 'snapshotChunk');
  assert.ok(sameBits(decodeSnapshotChunk(chunk.bytes, ELEMENT_COUNT), before));
  assert.equal(pool.leaseOf(old)?.snapshot, resumed.snapshot);
  assert.equal(lease().snapshot, head.snapshot, 'newcomers get the newest');
});

test('a version of other weights is not given, nor a further copy while the pool is full', () => {
  const old = { ...log.head()! };
  assert.equal(pool.leaseOf({ ...old, root: asRoot('ff'.repeat(32)) }), null);
  lease();
  learner.publish(log, MANY);
  const middle = { ...log.head()! };
  lease(1);
  learner.publish(log, MANY);
  assert.equal(pool.leaseOf(log.head()!), null);
  assert.equal(pool.leaseOf(middle)?.snapshot.position.version, 2);
});
