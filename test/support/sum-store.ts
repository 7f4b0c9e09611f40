/** A device's store with a model that ONNX Runtime can run, for tests of what happens around it. */
import { strict as assert } from 'node:assert';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { WeightStore } from '@freshet/edge-agent/store/weight-store';
import { splitModel } from '@freshet/protocol/model';
import { sumModel } from './onnx-models.ts';
import { deltaBetween, LINE, positionOf } from './tiny-model.ts';

/** A store whose version v holds the weights `values[v - 1]`, three times. Versions 1 and 3 are stored in full. */
export function storeWith(test: TestContext, values: readonly number[]): string {
  const directory = mkdtempSync(join(tmpdir(), 'freshet-agent-'));
  test.after(() => rmSync(directory, { recursive: true, force: true }));
  const path = join(directory, 'weights.db');
  const { model } = splitModel('sum', sumModel(1));
  const store = WeightStore.open(path, { clock: Date.now, snapshotEvery: 2 });
  store.adoptModel(LINE, model);
  const weightsOf = (value: number) => new Float32Array(3).fill(value);
  store.commitSnapshot(positionOf(model, 1, weightsOf(values[0]!)), weightsOf(values[0]!));
  for (const [i, value] of values.slice(1).entries()) {
    const outcome = store.commitDelta(
      deltaBetween(model, [i + 1, weightsOf(values[i]!)], [i + 2, weightsOf(value)]),
    );
    assert.equal(outcome.kind, 'applied');
  }
  store.close();
  return path;
}
