/**
 * LeNet-5 as the trainer has it: initial training on MNIST digits, then steps on the stream, with the trainer's own
 * code and defaults on its default backend. Equal seeds give equal weights on one kind of processor.
 */
import { assert } from '@freshet/protocol/assert';
import { createRandom } from '@freshet/trainer/core/random';
import { selectBackend } from '@freshet/trainer/learn/backends/select-backend';
import { CanonicalModel } from '@freshet/trainer/learn/canonical-model';
import { trainInitially } from '@freshet/trainer/learn/initial-training';
import { mnistLenet5 } from '@freshet/trainer/learn/recipes/mnist-lenet5';
import { TrainStep } from '@freshet/trainer/learn/train-step';
import { proactiveSteps } from './proactive-stream.ts';
import type { Trajectory } from './trajectory.ts';

const INITIAL = { sampleCount: 2000, epochs: 5, batchCount: 128 };
/** Enough for the residual to look like that of a stream that has run for a while, not like one first step. */
const STREAM_STEPS = 20;

export async function lenet5Trajectory(seed: number): Promise<Trajectory> {
  await selectBackend('wasm');
  const source = mnistLenet5.openSource();
  const trainStep = new TrainStep(mnistLenet5, { seed });
  try {
    const canonical = await CanonicalModel.of(trainStep, mnistLenet5.name);
    const random = createRandom(seed);
    await trainInitially(trainStep, source, INITIAL, random, async () => true);
    const initial = await canonical.readWeights();
    assert(source.train !== null, 'MNIST has digits to train on');
    const step = proactiveSteps(trainStep, source.train, INITIAL.sampleCount, random);
    const trained: Float32Array[] = [];
    while (trained.length < STREAM_STEPS) {
      await step();
      trained.push(await canonical.readWeights());
    }
    return { name: 'lenet5', model: canonical.model, initial, trained };
  } finally {
    trainStep.dispose();
  }
}
