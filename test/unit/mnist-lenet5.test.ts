/** LeNet-5 on the real digits, trained for a few seconds on the wasm backend. */
import { strict as assert } from 'node:assert';
import { before, describe, it } from 'node:test';
import { createRandom, shuffle } from '@freshet/trainer/core/random';
import { selectBackend } from '@freshet/trainer/learn/backends/select-backend';
import { BatchBuffer } from '@freshet/trainer/learn/batch-buffer';
import { mnistLenet5 } from '@freshet/trainer/learn/recipes/mnist-lenet5';
import { TrainStep } from '@freshet/trainer/learn/train-step';
import { samplesOf } from '../support/small-recipe.ts';

const SEED = 42;
const SAMPLES = 2_000;
const BATCH = 50;
const EPOCHS = 4;

before(() => selectBackend('wasm'));

describe('mnist-lenet5', () => {
  it('has 61,706 weights under stable names', async () => {
    const trainee = new TrainStep(mnistLenet5, { seed: SEED });
    const weights = await trainee.readWeights();
    // 5·5·1·6+6 + 5·5·6·16+16 + 400·120+120 + 120·84+84 + 84·10+10 = 156 + 2,416 + 48,120 + 10,164 + 850
    assert.equal(
      weights.reduce((sum, { values }) => sum + values.length, 0),
      61_706,
    );
    assert.deepEqual(
      weights.map(({ name, shape }) => `${name} ${shape.join('×')}`),
      [
        'conv1/kernel 5×5×1×6',
        'conv1/bias 6',
        'conv2/kernel 5×5×6×16',
        'conv2/bias 16',
        'dense1/kernel 400×120',
        'dense1/bias 120',
        'dense2/kernel 120×84',
        'dense2/bias 84',
        'logits/kernel 84×10',
        'logits/bias 10',
      ],
    );
    trainee.dispose();
  });

  it('classifies 85 % of 1,000 held-out digits after four epochs over 2,000', async () => {
    const { train, test } = samplesOf(mnistLenet5);
    const random = createRandom(SEED);
    const trainee = new TrainStep(mnistLenet5, { seed: SEED });
    const batches = new BatchBuffer(mnistLenet5, train, BATCH);
    for (let epoch = 0; epoch < EPOCHS; epoch++) {
      const order = Uint32Array.from({ length: SAMPLES }, (_, index) => index);
      shuffle(order, random);
      for (let first = 0; first < SAMPLES; first += BATCH) {
        const { inputs, targets } = batches.fill(order.subarray(first, first + BATCH));
        await trainee.step(inputs, targets, 0);
      }
    }
    const accuracy = await trainee.evaluate(test, 0, 1_000);
    trainee.dispose();
    assert.ok(accuracy > 0.85, `accuracy ${accuracy} with seed ${SEED}`);
  });
});
