/** What the trainer's model says of some digits, computed by tfjs's cpu backend from the weights in a version log. */
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { WeightsVersion } from '@freshet/protocol/ids';
import { VersionLog } from '@freshet/trainer/history/version-log';
import { selectBackend } from '@freshet/trainer/learn/backends/select-backend';
import { CanonicalModel } from '@freshet/trainer/learn/canonical-model';
import { mnistLenet5 } from '@freshet/trainer/learn/recipes/mnist-lenet5';
import { openMnist } from '@freshet/trainer/learn/sources/mnist';
import { TrainStep } from '@freshet/trainer/learn/train-step';
import { batchOf } from './small-recipe.ts';

/** `count` held-out digits from `first` on, one after the other. */
export function heldOutDigits(first: number, count: number): Float32Array {
  return batchOf(mnistLenet5, openMnist().test, first, count).inputs;
}

/** The log of a trainer that has ended, until the test has. */
export function openLog(test: TestContext, systemDirectory: string): VersionLog {
  const log = VersionLog.open(join(systemDirectory, 'trainer', 'versions.db'), { clock: Date.now });
  test.after(() => log.close());
  return log;
}

/** Logits [count, 10] by tfjs with the weights of `version`. */
export async function referenceLogits(
  log: VersionLog,
  version: WeightsVersion,
  digits: Float32Array,
  count: number,
): Promise<Float32Array> {
  await selectBackend('cpu');
  const trainStep = new TrainStep(mnistLenet5, { seed: 0 });
  const canonical = await CanonicalModel.of(trainStep, mnistLenet5.name);
  await canonical.writeWeights(log.weightsOf(version));
  const logits = await trainStep.predict(digits, count);
  trainStep.dispose();
  return logits;
}
