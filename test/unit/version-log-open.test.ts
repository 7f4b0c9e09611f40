/**
 * Whether a file holds the version log that it should: its model comes out as it was put in, or is called damaged before
 * anything is made of it, and a log of a former format is called that.
 */
import { strict as assert } from 'node:assert';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import type { TensorLayout } from '@freshet/protocol/onnx-layout';
import Database from 'better-sqlite3';
import { VersionLog } from '../../trainer/history/version-log.ts';
import { FakeLearner } from '../support/hub-model.ts';
import { seed } from '../support/seed.ts';
import { fingerprint, storeDirectory } from '../support/store-directory.ts';
import { modelOfShapes } from '../support/tiny-model.ts';

const model = modelOfShapes([[4, 6], [], [0, 3], [5]]);
const [first, scalar, empty, last] = model.tensors as [
  TensorLayout,
  TensorLayout,
  TensorLayout,
  TensorLayout,
];

const open = (path: string) => VersionLog.open(path, { clock: () => 0, lockWaitMs: 0 });

/** A closed log of two versions of `model`. */
function logOnDisk(t: TestContext): { directory: string; path: string } {
  const directory = storeDirectory(t);
  const path = join(directory, 'versions.db');
  const log = open(path);
  const learner = new FakeLearner(model, seed);
  learner.start(log);
  learner.publish(log, 3);
  log.close();
  return { directory, path };
}

test('the model comes back as it was', (t) => {
  const { path } = logOnDisk(t);
  const log = open(path);
  t.after(() => log.close());
  assert.deepEqual(log.model(), { ...model, graph: Buffer.from(model.graph) });
});

describe('a log with damaged tensors is refused', () => {
  const damages: Record<string, unknown> = {
    'another name': [{ ...first, name: 'tensor-9' }, scalar, empty, last],
    'another shape of as many weights': [{ ...first, shape: [6, 4] }, scalar, empty, last],
    'another shape without weights': [first, scalar, { ...empty, shape: [3, 0] }, last],
    'another count': [first, scalar, empty, { ...last, elementCount: 4 }],
    'a count that is not finite': [first, scalar, empty, { ...last, elementCount: null }],
    'another place among the weights': [first, { ...scalar, elementOffset: 23 }, empty, last],
    'another place in the file': [first, scalar, empty, { ...last, fileOffset: last.fileOffset - 1 }],
    'another order': [scalar, first, empty, last],
    'one that is gone': [first, scalar, last],
    'one too many': [first, scalar, empty, empty, last],
    'no list': { first },
    'a text where a number belongs': [{ ...first, fileOffset: '16' }, scalar, empty, last],
  };
  for (const [name, tensors] of Object.entries(damages)) {
    test(name, (t) => assertRefused(t, JSON.stringify(tensors)));
  }
  test('no JSON', (t) => assertRefused(t, '[{"name":'));

  function assertRefused(t: TestContext, tensors: string): void {
    const { directory, path } = logOnDisk(t);
    const handle = new Database(path);
    handle.prepare('UPDATE model SET tensors = ?').run(tensors);
    handle.close();
    const before = fingerprint(directory);
    const message = /^the version log \S+ is damaged \(.+\): restore it from a backup, or move it away/;
    assert.throws(() => open(path), { code: 'STORE_CORRUPT', message });
    assert.deepEqual(fingerprint(directory), before);
  }
});

test('a log from before the first release, which was marked otherwise, is told from a foreign file', (t) => {
  const { directory, path } = logOnDisk(t);
  const handle = new Database(path);
  // "FrTr" in ASCII.
  handle.pragma(`application_id = ${0x46725472}`);
  handle.close();
  const before = fingerprint(directory);
  const message =
    /is a version log of a Freshet from before its first release.*: move it away to start a new line/;
  assert.throws(() => open(path), { code: 'STORE_FOREIGN', message });
  assert.deepEqual(fingerprint(directory), before);
});
