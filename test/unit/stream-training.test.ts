/** The stream beyond the end of its source. */
import { strict as assert } from 'node:assert';
import { it } from 'node:test';
import { createRandom } from '@freshet/trainer/core/random';
import { selectBackend } from '@freshet/trainer/learn/backends/select-backend';
import type { SampleSource } from '@freshet/trainer/learn/sample-source';
import { StreamTraining, streamStart } from '@freshet/trainer/learn/stream-training';
import { TrainStep } from '@freshet/trainer/learn/train-step';
import { smallRecipe } from '../support/small-recipe.ts';

const OPTIONS = { batchCount: 6, freshCount: 4 };

/** Notes which samples are asked for. */
function watched(source: SampleSource, asked: number[]): SampleSource {
  const { train } = source;
  assert(train !== null);
  const sample: typeof train.sample = (index) => {
    asked.push(index);
    return train.sample(index);
  };
  return { ...source, train: { ...train, sample } };
}

async function setUp(samplesSeen: number, change: Partial<SampleSource> = {}) {
  await selectBackend('wasm');
  const asked: number[] = [];
  const trainStep = new TrainStep(smallRecipe, { seed: 1 });
  const start = { ...streamStart(0, createRandom(1)), samplesSeen };
  const source = { ...watched(smallRecipe.openSource(), asked), ...change };
  const stream = new StreamTraining(trainStep, source, OPTIONS, start);
  return { stream, asked, trainStep };
}

it('samples arrive in order, and round again after the last of 400', async () => {
  const { stream, asked, trainStep } = await setUp(398);
  await stream.advance();
  assert.deepEqual(asked.slice(0, 4), [398, 399, 0, 1]);
  await stream.advance();
  assert.deepEqual(asked.slice(6, 10), [2, 3, 4, 5]);
  trainStep.dispose();
});

it('what has been trained on before does not count as a test', async () => {
  const { stream, trainStep } = await setUp(396);
  await stream.advance();
  const { seen } = stream.state().prequential;
  await stream.advance();
  assert.equal(seen, OPTIONS.freshCount);
  assert.equal(stream.state().prequential.seen, seen);
  trainStep.dispose();
});

it('goes on after more than 2^32 samples', async () => {
  // 2^32 = 10,737,418 × 400 + 96
  const { stream, asked, trainStep } = await setUp(2 ** 32 - 2);
  await stream.advance();
  await stream.advance();
  assert.deepEqual(asked.slice(0, 4), [94, 95, 96, 97]);
  assert.equal(stream.state().samplesSeen, 2 ** 32 + 6);
  trainStep.dispose();
});

it('is exhausted when a source that does not repeat has too few samples left for a step', async () => {
  const { stream, trainStep } = await setUp(392, { repeats: false });
  await stream.advance();
  assert(!stream.exhausted);
  await stream.advance();
  assert(stream.exhausted);
  await assert.rejects(stream.advance(), /samples are left/);
  trainStep.dispose();
});

it('is exhausted from the beginning where the recipe has no samples of its own', async () => {
  const { stream, trainStep } = await setUp(0, { train: null, repeats: false });
  assert(stream.exhausted);
  assert.deepEqual(stream.note().metric, {
    name: 'accuracy',
    better: 'higher',
    cumulative: null,
    windowed: null,
  });
  trainStep.dispose();
});
