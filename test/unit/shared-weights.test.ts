/** A store whose head is hashed by two threads holds and proves the same as one that works alone. */
import { strict as assert } from 'node:assert';
import { join } from 'node:path';
import { it } from 'node:test';
import { WeightStore } from '@freshet/edge-agent/store/weight-store';
import { asWeightsVersion } from '@freshet/protocol/ids';
import { HashThread } from '@freshet/protocol/local/hash-thread';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { deltaBetween, LINE, nextSyntheticWeights, positionOf, tinyModel } from '../support/tiny-model.ts';
import { assertSameBits } from '../support/weights.ts';

/** Above what makes two threads of use: 2,048 chunks of 256 weights. */
const ELEMENT_COUNT = 600_000;
/** Touches nearly every chunk. */
const CHANGED_COUNT = 9_000;

it('a store with a second thread for hashing', (test) => {
  const path = join(temporaryDirectory(test), 'weights.db');
  const model = tinyModel(ELEMENT_COUNT);
  const store = WeightStore.open(path, {
    clock: Date.now,
    snapshotEvery: 3,
    hashHelper: new HashThread(assert.ifError),
  });
  store.adoptModel(LINE, model);
  const versions: Float32Array[] = [new Float32Array(ELEMENT_COUNT)];
  assert.equal(store.commitSnapshot(positionOf(model, 1, versions[0]!), versions[0]!).kind, 'applied');
  for (let version = 1; version <= 7; version++) {
    const base = versions.at(-1)!;
    const next = nextSyntheticWeights(base, version, CHANGED_COUNT);
    const outcome = store.commitDelta(deltaBetween(model, [version, base], [version + 1, next]));
    assert.equal(outcome.kind, 'applied');
    versions.push(next);
  }
  assert(store.headWeights().buffer instanceof SharedArrayBuffer, 'the helper can reach the head');
  const third = store.weightsOf(asWeightsVersion(3));
  assert(third.buffer instanceof ArrayBuffer, 'what is handed out is memory of its own');
  assertSameBits(third, versions[2]!);
  store.close();

  const alone = WeightStore.open(path, { clock: Date.now });
  test.after(() => alone.close());
  assertSameBits(alone.headWeights(), versions.at(-1)!);
  assert.equal(alone.verify().ok, true);
});
