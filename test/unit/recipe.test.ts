/** What a recipe may say, and how what it may not is refused: by field, and with what to write. */
import { strict as assert } from 'node:assert';
import { afterEach, before, beforeEach, describe, it } from 'node:test';
import { FreshetError } from '@freshet/protocol/errors';
import { selectBackend } from '@freshet/trainer/learn/backends/select-backend';
import { defineRecipe, isRecipe, type Recipe, type RecipeDefinition } from '@freshet/trainer/learn/recipe';
import { TrainStep } from '@freshet/trainer/learn/train-step';
import * as tf from '@tensorflow/tfjs-core';
import { batchOf, samplesOf } from '../support/small-recipe.ts';

before(() => selectBackend('wasm'));

let tensorsBefore = 0;
beforeEach(() => {
  tensorsBefore = tf.memory().numTensors;
});
afterEach(() => assert.equal(tf.memory().numTensors, tensorsBefore, 'all tensors are freed'));

const regression = {
  name: 'plane',
  input: { shape: [2], dtype: 'float32' },
  target: { kind: 'vector', elementCount: 1 },
  loss: 'mean-squared-error',
  // Not drawn: from far on the other side it would take more steps than a test has.
  buildModel: ({ tf: { layers, sequential } }) =>
    sequential({
      layers: [layers.dense({ name: 'plane', inputShape: [2], units: 1, kernelInitializer: 'ones' })],
    }),
  openSource: () => ({
    train: { count: 64, sample: (i) => ({ input: [i % 8, i >> 3], target: [3 * (i % 8) - (i >> 3)] }) },
    test: { count: 8, sample: (i) => ({ input: [i, 1], target: [3 * i - 1] }) },
  }),
} satisfies RecipeDefinition;

/** A change that no compiler would let through, as a recipe in JavaScript may have it. */
function changed(change: object): RecipeDefinition {
  return { ...regression, ...change };
}

function refusal(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    assert(error instanceof FreshetError && error.code === 'CONFIG_INVALID', String(error));
    return error.message;
  }
  throw new assert.AssertionError({ message: 'it was not refused' });
}

describe('defineRecipe', () => {
  it('fills in what is left out', () => {
    const { openSource: _, ...noSource } = regression;
    const recipe = defineRecipe(noSource);
    assert(isRecipe(recipe) && !isRecipe({ ...recipe }));
    assert.equal(recipe.metric.name, 'mean-absolute-error');
    assert.equal(recipe.preprocess, null);
    assert.deepEqual(recipe.format, {
      inputShape: [2],
      inputType: 'float32',
      target: { kind: 'vector', elementCount: 1 },
    });
    assert.deepEqual(recipe.openSource(), { train: null, test: null, initialCount: 0, repeats: false });
  });

  const fields: readonly [string, object, RegExp][] = [
    ['no name', { name: undefined }, /^recipe field "name" is missing; it has to be a name of letters/],
    ['a name with a space', { name: 'my model' }, /"name" is "my model"; it has to be a name of letters/],
    ['no input', { input: undefined }, /"input" is missing; it has to be \{ shape, dtype \}/],
    ['a size of zero', { input: { shape: [28, 0], dtype: 'uint8' } }, /"input.shape.1" is 0; .*positive/],
    ['a size unknown', { input: { shape: [null], dtype: 'uint8' } }, /"input.shape.0" is null; .*positive/],
    [
      'a shape that is a number',
      { input: { shape: 2, dtype: 'uint8' } },
      /"input.shape" is 2; .*list of pos/,
    ],
    ['an empty shape', { input: { shape: [], dtype: 'uint8' } }, /"input.shape" is \[\]; .*list of positive/],
    ['a huge shape', { input: { shape: [1e4, 1e4], dtype: 'uint8' } }, /"input.shape" .*elements at most/],
    ['no dtype', { input: { shape: [2] } }, /"input.dtype" is missing; it has to be 'uint8' or 'float32'/],
    [
      'dtype under another name',
      { input: { shape: [2], type: 'uint8' } },
      /"input.type" is not known: .*misspelled/,
    ],
    ['another dtype', { input: { shape: [2], dtype: 'int32' } }, /"input.dtype" is "int32"; .*'uint8' or/],
    ['another kind of target', { target: { kind: 'word' } }, /"target.kind" is "word"; .*kind: 'class'/],
    ['one class', { target: { kind: 'class', classCount: 1 } }, /"target.classCount" is 1; .*from 2 to/],
    [
      'no elements',
      { target: { kind: 'vector' } },
      /"target.elementCount" is missing; .*the number of elements/,
    ],
    ['another loss', { loss: 'mse' }, /"loss" is "mse"; .*mean-squared-error, huber/],
    ['a loss of the other kind', { loss: 'softmax-cross-entropy' }, /"loss" is "softmax.*kind "vector"/],
    [
      'a loss of vectors for a class',
      { target: { kind: 'class', classCount: 2 }, loss: 'huber' },
      /"loss" is "huber"; .* has to be softmax-cross-entropy, or a function/,
    ],
    ['a loss that is a number', { loss: 1 }, /"loss" is 1; it has to be a loss's name, such as 'huber'/],
    ['a loss function and no metric', { loss: () => 0 }, /"metric" is missing; it has to be given where/],
    ['another metric', { metric: 'accuracy' }, /"metric" is "accuracy"; .*exact-match, hamming/],
    [
      'a metric without a direction',
      { metric: { name: 'm', measure: () => 0 } },
      /"metric" is \{"name":"m"\}; .*better: 'higher' or 'lower'/,
    ],
    ['preprocess as text', { preprocess: '/255' }, /"preprocess" is "\/255"; it has to be a function/],
    ['no buildModel', { buildModel: undefined }, /"buildModel" is missing; it has to be a function/],
    ['a misspelled field', { preproces: () => 0 }, /"preproces" is not known: .*misspelled/],
  ];
  for (const [what, change, message] of fields) {
    it(`refuses ${what}`, () =>
      assert.match(
        refusal(() => defineRecipe(changed(change))),
        message,
      ));
  }

  it('refuses what is no definition', () => {
    for (const value of [null, 5, 'recipe']) {
      assert.match(
        refusal(() => defineRecipe(value as unknown as RecipeDefinition)),
        /"recipe" is/,
      );
    }
  });
});

describe('the model of a recipe', () => {
  const dense = (options: object) => ({
    buildModel: ({ tf: given }: { tf: typeof tf & typeof import('@tensorflow/tfjs-layers') }) =>
      given.sequential({
        layers: [given.layers.dense({ name: 'plane', inputShape: [2], units: 1, ...options })],
      }),
  });
  const models: readonly [string, object, RegExp][] = [
    ['nothing', { buildModel: () => undefined }, /"buildModel" returned missing; .*the tf that it is given/],
    ['something else', { buildModel: () => ({ layers: [] }) }, /returned something else than a LayersModel/],
    ['another input', dense({ inputShape: [3] }), /input is \[batch, 3\]; with input.shape .* \[batch, 2\]/],
    [
      'another output',
      dense({ units: 4 }),
      /output is \[batch, 4\]; with target.elementCount .*\[batch, 1\]/,
    ],
    [
      'probabilities for sigmoid cross-entropy',
      { ...dense({ activation: 'sigmoid' }), loss: 'sigmoid-cross-entropy' },
      /ends in sigmoid; loss "sigmoid-cross-entropy" takes logits/,
    ],
    [
      'probabilities for softmax cross-entropy',
      {
        ...dense({ units: 2, activation: 'softmax' }),
        target: { kind: 'class', classCount: 2 },
        loss: 'softmax-cross-entropy',
      },
      /ends in softmax; loss "softmax-cross-entropy" takes logits/,
    ],
    ['a layer without a name', dense({ name: undefined }), /a Dense layer that has weights and no name/],
    [
      'an error',
      {
        buildModel() {
          throw new TypeError('no such layer');
        },
      },
      /"buildModel" threw:\nTypeError: no such layer\n +at .*recipe\.test\.ts/,
    ],
  ];
  for (const [what, change, message] of models) {
    it(`refuses ${what}`, () => {
      assert.match(
        refusal(() => defineRecipe(changed(change)).buildModel(1)),
        message,
      );
    });
  }

  const losses: readonly [string, unknown, RegExp][] = [
    [
      'a loss for each sample',
      (y: tf.Tensor2D, x: tf.Tensor2D) => tf.abs(tf.sub(x, y)),
      /tensor \[2,1\]; .*scal/,
    ],
    ['a number', () => 0.5, /"loss" gave 0.5; it has to give a float32 scalar/],
    ['an integer', (y: tf.Tensor2D) => tf.sum(tf.cast(y, 'int32')), /gave a int32 tensor \[\]/],
    ['a constant', () => tf.scalar(1), /"loss" cannot be differentiated:/],
    [
      'what has no gradient',
      (_: tf.Tensor, x: tf.Tensor2D) => tf.mean(tf.topk(x, 1).values),
      /differentiated/,
    ],
    [
      'an error',
      () => {
        throw new TypeError('shapes');
      },
      /"loss" threw:\nTypeError: shapes/,
    ],
  ];
  for (const [what, loss, message] of losses) {
    it(`refuses a loss that gives ${what}`, () => {
      const recipe = defineRecipe(changed({ loss, metric: 'mean-absolute-error' }));
      assert.match(
        refusal(() => new TrainStep(recipe, { seed: 1 })),
        message,
      );
      // tfjs does not free what it kept for a backward pass that failed.
      tensorsBefore = tf.memory().numTensors;
    });
  }
});

describe('the samples of a recipe', () => {
  const good = { input: [1, 2], target: [3] };
  const set = (sample: unknown, count: unknown = 4) => ({ train: { count, sample: () => sample } });
  const sources: readonly [string, unknown, RegExp][] = [
    ['a promise', Promise.resolve({}), /"openSource" has to return \{ train, test, .*top level/],
    ['a set that is a list', { train: [good] }, /a train set without sample\(index\)/],
    ['a set of nothing', set(good, 0), /train set with count 0; .*leave the set out/],
    ['half a sample', set(good, 1.5), /count 1.5; it has to be an integer/],
    [
      'more for the start than there is',
      { ...set(good), initialCount: 5 },
      /initialCount 5; .*0 to the 4 samp/,
    ],
    ['a repetition in words', { ...set(good), repeats: 'yes' }, /repeats "yes"; it has to be true or false/],
    ['no sample', set(undefined), /sample 0 .*it has to be \{ input, label \} or/],
    ['an input of another size', set({ ...good, input: [1] }), /sample 0 .*"input" has 1 elements/],
    ['NaN', set({ ...good, input: [1, Number.NaN] }), /sample 0 .*"input" has NaN at element 1/],
    ['a label', set({ input: [1, 2], label: 3 }), /"label" is not for this model: give "target"/],
    [
      'a promise of a sample',
      set(Promise.resolve(good)),
      /sample 0 .*returned a promise; .*top level of the recipe/,
    ],
    [
      'a field that is misspelled',
      { ...set(good), initial: 1 },
      /gives "initial", which is not known; .*initialCount/,
    ],
    [
      'a bad sample, and says of which set',
      { test: { count: 1, sample: () => good }, ...set({}) },
      /"openSource" gives a train set whose sample 0/,
    ],
    ['a bad test set', { test: { count: 1, sample: () => ({ input: [1, 2] }) } }, /"target" is missing/],
  ];
  for (const [what, source, message] of sources) {
    it(`refuses ${what}`, () => {
      assert.match(
        refusal(() => defineRecipe(changed({ openSource: () => source })).openSource()),
        message,
      );
    });
  }

  const preprocessors: readonly [string, unknown, RegExp][] = [
    [
      'divides by zero',
      (_: unknown, floats: Float32Array) => floats.fill(1 / 0),
      /left Infinity at element 0/,
    ],
    [
      'forgets an element',
      (_: unknown, floats: Float32Array) => floats.fill(1, 0, 1),
      /left NaN at element 1/,
    ],
    [
      'throws',
      () => {
        throw new TypeError('no pixels');
      },
      /preprocess threw:\nTypeError: no pixels\n +at/,
    ],
  ];
  for (const [what, preprocess, message] of preprocessors) {
    it(`refuses preprocessing that ${what}`, () => {
      assert.match(
        refusal(() => defineRecipe(changed({ preprocess })).openSource()),
        message,
      );
    });
  }

  it('are checked one by one as they are read, and never reach the model', () => {
    const recipe = defineRecipe({
      ...regression,
      openSource: () => ({
        ...set(good),
        train: {
          count: 4,
          sample: (i) => {
            if (i === 3) throw new RangeError('the disk is gone');
            return i === 2 ? { input: [1, Number.POSITIVE_INFINITY], target: [0] } : good;
          },
        },
      }),
    });
    const { train } = recipe.openSource();
    const invalid = (message: RegExp) => ({ code: 'SAMPLES_INVALID', message });
    assert(train !== null);
    assert.deepEqual([...batchOf(recipe, train, 0, 2).inputs], [1, 2, 1, 2]);
    assert.throws(
      () => batchOf(recipe, train, 0, 3),
      invalid(/^sample 2 .*"input" has Infinity at element 1/),
    );
    assert.throws(
      () => batchOf(recipe, train, 3, 1),
      invalid(/sample\(3\) threw:\nRangeError: the disk is gone/),
    );
  });

  it('are preprocessed from what is stored, bytes or float32', () => {
    const stored: number[][] = [];
    const definition = (dtype: 'uint8' | 'float32', input: number[]) =>
      defineRecipe({
        ...regression,
        input: { shape: [2], dtype },
        preprocess(values, floats) {
          stored.push([...values]);
          floats.set(values.map((value) => value / 2));
        },
        openSource: () => ({ train: { count: 1, sample: () => ({ input, target: [0] }) } }),
      });
    const read = (recipe: Recipe) => batchOf(recipe, recipe.openSource().train!, 0, 1).inputs;
    assert.deepEqual([...read(definition('float32', [0.1, 6]))], [Math.fround(0.1) / 2, 3]);
    assert.deepEqual(stored.at(-1), [Math.fround(0.1), 6]);
    assert.deepEqual(stored.length, 2, 'once when it is opened, once for the batch');
    read(definition('uint8', [200, 3]));
    assert.deepEqual(stored.at(-1), [200, 3]);
  });
});

describe('training by a recipe', () => {
  it('a regression learns, by each loss that is made for it', async () => {
    for (const loss of ['mean-squared-error', 'huber', 'huber:0.5'] as const) {
      const recipe = defineRecipe({ ...regression, loss });
      const { train, test } = samplesOf(recipe);
      const trainee = new TrainStep(recipe, { seed: 1, learningRate: 0.1 });
      const { inputs, targets } = batchOf(recipe, train, 0, 64);
      const before = await trainee.evaluate(test, 0, test.count);
      for (let step = 0; step < 240; step++) await trainee.step(inputs, targets, 0);
      const after = await trainee.evaluate(test, 0, test.count);
      assert.ok(after < 0.5 && after < before / 5, `${loss}: ${before} → ${after}`);
      trainee.dispose();
    }
  });

  it("measures fresh samples by the recipe's own metric, and the loss as its own function says", async () => {
    const recipe = defineRecipe({
      ...regression,
      loss: (targets, outputs, given) => given.mean(given.pow(given.sub(outputs, targets), 4)),
      metric: { name: 'signed-error', better: 'lower', measure: (output, target) => output[0]! - target[0]! },
    });
    const { train } = samplesOf(recipe);
    const trainee = new TrainStep(recipe, { seed: 1 });
    const { inputs, targets } = batchOf(recipe, train, 0, 8);
    const errors = (await trainee.predict(inputs, 8)).map((output, i) => output - targets[i]!);
    const sumOf = (values: Float32Array | readonly number[]) =>
      Array.from(values).reduce((sum, value) => sum + value, 0);
    const tested = await trainee.test(inputs, targets);
    const { loss, freshMeasures } = await trainee.step(inputs, targets, 3);
    const near = (actual: number, expected: number) =>
      assert.ok(
        Math.abs(actual - expected) <= 1e-4 * Math.max(1, Math.abs(expected)),
        `${actual}, ${expected}`,
      );
    near(sumOf(freshMeasures), sumOf(errors.slice(0, 3)));
    near(sumOf(tested.measures), sumOf(errors));
    near(loss, sumOf(errors.map((error) => error ** 4)) / 8);
    near(tested.loss, loss);
    trainee.dispose();
  });

  it('several labels at once learn by sigmoid cross-entropy', async () => {
    const recipe = defineRecipe({
      ...regression,
      name: 'quadrants',
      target: { kind: 'vector', elementCount: 2 },
      loss: 'sigmoid-cross-entropy',
      metric: 'exact-match',
      buildModel: ({ tf: { layers, sequential } }) =>
        sequential({
          layers: [layers.dense({ name: 'd', inputShape: [2], units: 2, kernelInitializer: 'ones' })],
        }),
      openSource: () => {
        const sample = (i: number) => {
          const input = [(i % 8) - 3.5, (i >> 3) - 3.5];
          return { input, target: input.map((value) => (value > 0 ? 1 : 0)) };
        };
        return { train: { count: 64, sample }, test: { count: 64, sample } };
      },
    });
    const { train, test } = samplesOf(recipe);
    const trainee = new TrainStep(recipe, { seed: 1, learningRate: 0.1 });
    const { inputs, targets } = batchOf(recipe, train, 0, 64);
    for (let step = 0; step < 60; step++) await trainee.step(inputs, targets, 0);
    assert.equal(await trainee.evaluate(test, 0, 64), 1);
    trainee.dispose();
  });

  it('regularisers of layers count as part of the loss', async () => {
    const plain = new TrainStep(defineRecipe(regression), { seed: 1 });
    const penalised = new TrainStep(
      defineRecipe({
        ...regression,
        buildModel: ({ tf: { layers, regularizers, sequential } }) => {
          const kernelRegularizer = regularizers.l2({ l2: 0.5 });
          return sequential({
            layers: [layers.dense({ name: 'plane', inputShape: [2], units: 1, kernelRegularizer })],
          });
        },
      }),
      { seed: 1 },
    );
    penalised.writeWeights(await plain.readWeights());
    const { values } = (await plain.readWeights())[0]!;
    const { inputs, targets } = batchOf(plain.recipe, samplesOf(plain.recipe).train, 0, 8);
    const without = await plain.step(inputs, targets, 0);
    const withPenalty = await penalised.step(inputs, targets, 0);
    const penalty = 0.5 * values.reduce((sum, value) => sum + value ** 2, 0);
    assert.ok(Math.abs(withPenalty.loss - without.loss - penalty) < 1e-4 * without.loss);
    assert.notEqual(withPenalty.gradientNorm, without.gradientNorm);
    plain.dispose();
    penalised.dispose();
  });

  it('a metric that is not finite ends it by name, and nothing is trained', async () => {
    const metric = { name: 'odd', better: 'lower', measure: () => Number.NaN } as const;
    const recipe = defineRecipe({ ...regression, metric });
    const trainee = new TrainStep(recipe, { seed: 1 });
    const before = await trainee.readWeights();
    const { inputs, targets } = batchOf(recipe, samplesOf(recipe).train, 0, 8);
    await assert.rejects(trainee.step(inputs, targets, 2), {
      code: 'CONFIG_INVALID',
      message: /"metric.measure" gave NaN; it has to give a finite number/,
    });
    assert.deepEqual(await trainee.readWeights(), before);
    trainee.dispose();
  });
});
