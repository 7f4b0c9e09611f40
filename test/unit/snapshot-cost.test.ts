/** What a snapshot is thought to cost: guessed only as far as chunks were not encoded, and from weights of its own time. */
import { strict as assert } from 'node:assert';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { asRoot, asWeightsVersion, type Position } from '@freshet/protocol/ids';
import { encodeSnapshotChunk, SNAPSHOT_CHUNK_ELEMENTS } from '@freshet/protocol/snapshot-chunk';
import { snapshotWireBytes } from '../../trainer/core/frame-bytes.ts';
import { chunkOf } from '../../trainer/core/snapshot-estimate.ts';
import { VersionLog } from '../../trainer/history/version-log.ts';
import { UNSIGNED } from '../../trainer/hub/signer.ts';
import { SnapshotCost } from '../../trainer/hub/snapshot-cost.ts';
import { SnapshotPool } from '../../trainer/hub/snapshot-pool.ts';
import { FakeLearner, handMadeModel } from '../support/hub-model.ts';
import { seed } from '../support/seed.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const CHUNK_COUNT = 6;
const model = handMadeModel(CHUNK_COUNT * SNAPSHOT_CHUNK_ELEMENTS);

function setUp(test: TestContext) {
  const log = VersionLog.open(join(temporaryDirectory(test), 'versions.db'), { clock: () => 0 });
  test.after(() => log.close());
  new FakeLearner(model, seed).start(log);
  const pool = new SnapshotPool(log, UNSIGNED);
  return { log, pool, cost: new SnapshotCost(pool, false) };
}

const old: Position = { version: asWeightsVersion(9000), root: asRoot('ab'.repeat(32)) };

test('is exact once all chunks are encoded, and marked as a guess before', (test) => {
  const { log, pool, cost } = setUp(test);
  const head = log.head()!;
  assert.equal(cost.price(head, log.headWeights()).isEstimated, true);
  const lease = pool.lease(null)!;
  for (let i = 0; i < CHUNK_COUNT; i++) lease.snapshot.chunk(i);
  const chunkBytes = Array.from(
    { length: CHUNK_COUNT },
    (_, i) => encodeSnapshotChunk(chunkOf(log.headWeights(), i)).length,
  );
  assert.deepEqual(cost.price(head, log.headWeights()), {
    wireBytes: snapshotWireBytes({ version: head.version, signed: false, firstChunk: 0, chunkBytes }),
    isEstimated: false,
  });
  lease.release();
});

test('is exact from the first for as few chunks as are sampled', (test) => {
  const { cost } = setUp(test);
  const weights = new Float32Array(4 * SNAPSHOT_CHUNK_ELEMENTS);
  assert.equal(cost.priceOfOld(old, weights).isEstimated, false);
});

test('of an old version says nothing of the head', (test) => {
  const { log, cost } = setUp(test);
  const head = log.head()!;
  const before = cost.price(head, log.headWeights());
  const cheap = cost.priceOfOld(old, new Float32Array(model.elementCount));
  assert.ok(cheap.wireBytes < before.wireBytes / 2, 'zeros are not random weights');
  assert.deepEqual(cost.price(head, log.headWeights()), before);
});
