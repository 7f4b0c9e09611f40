/** The training step on the wasm backend: what it computes, that it frees all tensors, that a checkpoint is exact. */
import { strict as assert } from 'node:assert';
import { createHash } from 'node:crypto';
import { afterEach, before, beforeEach, describe, it } from 'node:test';
import { selectBackend } from '@freshet/trainer/learn/backends/select-backend';
import type { Recipe } from '@freshet/trainer/learn/recipe';
import { mnistLenet5 } from '@freshet/trainer/learn/recipes/mnist-lenet5';
import { TrainStep } from '@freshet/trainer/learn/train-step';
import * as tf from '@tensorflow/tfjs-core';
import { relativeError } from '../support/numerics.ts';
import { batchOf, samplesOf, smallRecipe } from '../support/small-recipe.ts';

before(() => selectBackend('wasm'));

let tensorsBefore = 0;
beforeEach(() => {
  tensorsBefore = tf.memory().numTensors;
});
afterEach(() => assert.equal(tf.memory().numTensors, tensorsBefore, 'all tensors are freed'));

async function train(
  trainee: TrainStep,
  recipe: Recipe,
  firstStep: number,
  stepCount: number,
): Promise<void> {
  const { train: samples } = samplesOf(recipe);
  for (let step = firstStep; step < firstStep + stepCount; step++) {
    const { inputs, targets } = batchOf(recipe, samples, step * 32, 32);
    await trainee.step(inputs, targets, 8);
  }
}

/** One short line per array, so that what differs can be shown: a diff of 61,706 floats takes minutes. */
function digests(arrays: readonly { readonly name: string }[]): string[] {
  return arrays.map((named) => {
    const hash = createHash('sha256');
    for (const part of Object.values<unknown>({ ...named }))
      if (part instanceof Float32Array) hash.update(part);
    return `${named.name} ${hash.digest('hex').slice(0, 16)}`;
  });
}

function argMaxOfRows(logits: Float32Array, columns: number): number[] {
  const rows = Array.from({ length: logits.length / columns }, (_, row) =>
    logits.subarray(row * columns, (row + 1) * columns),
  );
  return rows.map((row) => row.indexOf(Math.max(...row)));
}

for (const recipe of [smallRecipe, mnistLenet5]) {
  describe(`training step of ${recipe.name}`, () => {
    it('has as many tensors after a step as before it', async () => {
      const trainee = new TrainStep(recipe, { seed: 1 });
      const tensors = tf.memory().numTensors;
      const buffers = tf.backend().numDataIds();
      const { train: samples, test } = samplesOf(recipe);
      const { inputs, targets } = batchOf(recipe, samples, 0, 16);
      for (const freshCount of [0, 1, 8, 16]) {
        await trainee.step(inputs, targets, freshCount);
        await trainee.predict(inputs, 16);
        await trainee.evaluate(test, 0, 10);
        await trainee.readWeights();
        assert.equal(tf.memory().numTensors, tensors);
        assert.equal(tf.backend().numDataIds(), buffers);
      }
      trainee.writeWeights(await trainee.readWeights());
      trainee.writeOptimizer(await trainee.readOptimizer());
      assert.equal(tf.memory().numTensors, tensors);
      trainee.dispose();
    });

    it('gives equal weights for equal seeds and others for other seeds', async () => {
      const weightsOf = async (seed: number) => {
        const trainee = new TrainStep(recipe, { seed });
        const weights = digests(await trainee.readWeights());
        trainee.dispose();
        return weights;
      };
      const first = await weightsOf(5);
      assert.deepEqual(await weightsOf(5), first);
      assert.notDeepEqual(await weightsOf(6), first);
      assert.notDeepEqual(await weightsOf(0), await weightsOf(1));
    });

    it('resumes from a checkpoint bit for bit', async () => {
      const straight = new TrainStep(recipe, { seed: 3 });
      await train(straight, recipe, 0, 6);
      const first = new TrainStep(recipe, { seed: 3 });
      await train(first, recipe, 0, 3);
      const weights = await first.readWeights();
      const optimizer = await first.readOptimizer();
      assert.equal(optimizer.updateCount, 3);
      first.dispose();
      // Another seed and another order of the parts: nothing but the names may matter.
      const resumed = new TrainStep(recipe, { seed: 4 });
      resumed.writeWeights(weights.toReversed());
      resumed.writeOptimizer({ ...optimizer, moments: optimizer.moments.toReversed() });
      await train(resumed, recipe, 3, 3);
      assert.deepEqual(digests(await resumed.readWeights()), digests(await straight.readWeights()));
      const [resumedState, straightState] = [await resumed.readOptimizer(), await straight.readOptimizer()];
      assert.deepEqual(digests(resumedState.moments), digests(straightState.moments));
      assert.equal(resumedState.updateCount, straightState.updateCount);
      straight.dispose();
      resumed.dispose();
    });

    it('tests the fresh samples before it trains on them', async () => {
      const trainee = new TrainStep(recipe, { seed: 2, learningRate: 0.01 });
      const { train: samples } = samplesOf(recipe);
      const { inputs, targets } = batchOf(recipe, samples, 0, 32);
      const counts = new Set<number>();
      for (let step = 0; step < 8; step++) {
        const before = await trainee.predict(inputs, 32);
        const predicted = argMaxOfRows(before, before.length / 32).slice(0, 24);
        const expected = predicted.filter((label, row) => label === targets[row]).length;
        const { freshMetricSum, gradientNorm } = await trainee.step(inputs, targets, 24);
        assert.ok(gradientNorm > 0);
        // BatchNorm takes other statistics in training than in prediction.
        if (recipe === mnistLenet5) assert.equal(freshMetricSum, expected);
        counts.add(freshMetricSum);
      }
      assert.ok(counts.size > 1, 'the model moved');
      trainee.dispose();
    });

    it('leaves the weights alone when an input is not a number', async () => {
      const trainee = new TrainStep(recipe, { seed: 1 });
      const { train: samples } = samplesOf(recipe);
      const { inputs, targets } = batchOf(recipe, samples, 0, 8);
      const moments = async () => digests((await trainee.readOptimizer()).moments);
      const trainable = async () =>
        digests((await trainee.readWeights()).filter(({ name }) => !name.includes('moving')));
      const before = [await moments(), await trainable()];
      const tensors = tf.memory().numTensors;
      await assert.rejects(trainee.step(inputs.fill(Number.NaN, 5, 6), targets, 2), {
        code: 'LEARNER_DIVERGED',
      });
      assert.equal(tf.memory().numTensors, tensors);
      assert.deepEqual([await moments(), await trainable()], before);
      assert.equal((await trainee.readOptimizer()).updateCount, 0);
      trainee.dispose();
    });
  });
}

describe('training step', () => {
  it('trains BatchNorm, and its moving statistics are among the weights', async () => {
    const trainee = new TrainStep(smallRecipe, { seed: 1 });
    const before = await trainee.readWeights();
    await train(trainee, smallRecipe, 0, 1);
    const after = await trainee.readWeights();
    assert.deepEqual(
      after.map(({ name, shape }) => `${name} ${shape.join('×')}`),
      [
        'conv/kernel 3×3×1×3',
        'conv/bias 3',
        'norm/gamma 3',
        'norm/beta 3',
        'depthwise/depthwise_kernel 3×3×3×1',
        'depthwise/bias 3',
        'logits/kernel 12×2',
        'logits/bias 2',
        'norm/moving_mean 3',
        'norm/moving_variance 3',
      ],
    );
    for (const [index, { name, values }] of after.entries()) {
      // A bias straight before BatchNorm has no gradient but rounding.
      if (name !== 'conv/bias') assert.notDeepEqual(values, before[index]!.values, name);
    }
    trainee.dispose();
  });

  it('learns', async () => {
    const { test } = samplesOf(smallRecipe);
    const trainee = new TrainStep(smallRecipe, { seed: 1, learningRate: 0.01 });
    for (let epoch = 0; epoch < 8; epoch++) await train(trainee, smallRecipe, 0, 12);
    assert.ok((await trainee.evaluate(test, 0, test.count)) > 0.9);
    trainee.dispose();
  });

  it('evaluates a range that is no multiple of its batch', async () => {
    const { test } = samplesOf(mnistLenet5);
    const trainee = new TrainStep(mnistLenet5, { seed: 1 });
    const { inputs, targets } = batchOf(mnistLenet5, test, 40, 333);
    const predicted = argMaxOfRows(await trainee.predict(inputs, 333), 10);
    const correct = predicted.filter((label, row) => label === targets[row]).length;
    assert.equal(await trainee.evaluate(test, 40, 373), correct / 333);
    trainee.dispose();
  });

  it('computes the gradients of LeNet-5 that the cpu backend computes', async () => {
    const gradientsOn = async (backend: 'cpu' | 'wasm') => {
      await selectBackend(backend);
      const trainee = new TrainStep(mnistLenet5, { seed: 1 });
      const { inputs, targets } = batchOf(mnistLenet5, samplesOf(mnistLenet5).train, 0, 4);
      await trainee.step(inputs, targets, 0);
      // After one update the first moment is a tenth of the gradient.
      const { moments } = await trainee.readOptimizer();
      trainee.dispose();
      return moments;
    };
    const onCpu = await gradientsOn('cpu');
    const onWasm = await gradientsOn('wasm');
    for (const [index, { name, first }] of onWasm.entries()) {
      const scale = 1 / Math.max(...onCpu[index]!.first.map(Math.abs));
      const error = relativeError(
        first.map((value) => value * scale),
        onCpu[index]!.first.map((value) => value * scale),
      );
      assert.ok(error < 1e-5, `${name}: ${error}`);
    }
  });

  it('refuses weights and optimiser state of another model, and changes nothing', async () => {
    const small = new TrainStep(smallRecipe, { seed: 1 });
    const before = await small.readWeights();
    const optimizer = await small.readOptimizer();
    const [first, ...others] = before;
    const refusals = [
      { weights: others, what: /conv\/kernel are missing/ },
      { weights: [...before, { ...first!, name: 'extra' }], what: /11 tensors, the model has 10/ },
      {
        weights: [{ ...first!, shape: [3, 3, 3, 1] }, ...others],
        what: /conv\/kernel have shape \[3,3,3,1\]/,
      },
      { weights: [{ ...first!, values: new Float32Array(2) }, ...others], what: /conv\/kernel have shape/ },
    ];
    for (const { weights, what } of refusals) {
      const changed = weights.map((tensor) => ({
        ...tensor,
        values: tensor.values.map((value) => value + 1),
      }));
      assert.throws(() => small.writeWeights(changed), { code: 'MODEL_MISMATCH', message: what });
    }
    const [firstMoments, ...otherMoments] = optimizer.moments;
    const badMoments = [
      otherMoments,
      [...optimizer.moments, { ...firstMoments!, name: 'extra' }],
      [{ ...firstMoments!, second: new Float32Array(2) }, ...otherMoments],
    ];
    for (const moments of badMoments) {
      assert.throws(() => small.writeOptimizer({ updateCount: 9, moments }), { code: 'MODEL_MISMATCH' });
    }
    assert.deepEqual(await small.readWeights(), before);
    assert.deepEqual(await small.readOptimizer(), optimizer);
    small.dispose();
  });

  it('has no overlapping steps', async () => {
    const trainee = new TrainStep(smallRecipe, { seed: 1 });
    const { inputs, targets } = batchOf(smallRecipe, samplesOf(smallRecipe).train, 0, 8);
    const running = trainee.step(inputs, targets, 0);
    await assert.rejects(trainee.step(inputs, targets, 0), /one step at a time/);
    await running;
    trainee.dispose();
  });
});
