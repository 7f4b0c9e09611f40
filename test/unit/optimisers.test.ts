/** Every optimiser against its formulas in double precision and against tfjs's own; its state by name. */
import { strict as assert } from 'node:assert';
import { before, describe, it } from 'node:test';
import { selectBackend } from '@freshet/trainer/learn/backends/select-backend';
import { createOptimiser } from '@freshet/trainer/learn/optimisers/create-optimiser';
import { type OptimiserSpec, parseOptimiser } from '@freshet/trainer/learn/optimisers/optimiser-spec';
import * as tf from '@tensorflow/tfjs-core';
import { relativeError, seededFloats } from '../support/numerics.ts';

before(() => selectBackend('wasm'));

const NAMES = ['adam', 'amsgrad', 'sgd', 'momentum:0.9', 'nesterov:0.8'] as const;
type Name = (typeof NAMES)[number];

function variableOf(values: ArrayLike<number>, name?: string): tf.Variable {
  return tf.tidy(() => tf.variable(tf.tensor1d(Float32Array.from(values)), true, name));
}

/** One variable with an optimiser on it, driven by plain gradients. */
function optimiserOn(initial: ArrayLike<number>, spec: OptimiserSpec) {
  const variable = variableOf(initial);
  const optimiser = createOptimiser(spec, new Map([['w', variable]]));
  return {
    optimiser,
    values: () => [...variable.dataSync()],
    update(gradient: ArrayLike<number>, learningRate: number) {
      const tensor = tf.tensor1d(Float32Array.from(gradient));
      optimiser.update(new Map([['w', tensor]]), learningRate);
      tensor.dispose();
    },
    dispose() {
      optimiser.dispose();
      variable.dispose();
    },
  };
}

/** One weight in doubles, from the papers' formulas; returns what it does with a gradient. */
function referenceOf(name: Name, initial: number): (gradient: number, rate: number) => number {
  let weight = initial;
  let [first, second, secondMax, velocity, count] = [0, 0, 0, 0, 0];
  const adaptive = (gradient: number, rate: number, isAmsgrad: boolean): number => {
    count++;
    first = 0.9 * first + 0.1 * gradient;
    second = 0.999 * second + 0.001 * gradient ** 2;
    secondMax = Math.max(secondMax, second);
    // ε stands beside the corrected root in the paper, in tfjs and here.
    const unbiased = (isAmsgrad ? secondMax : second) / (1 - 0.999 ** count);
    return (rate * first) / (1 - 0.9 ** count) / (Math.sqrt(unbiased) + 1e-7);
  };
  const move = (gradient: number, rate: number): number => {
    switch (name) {
      case 'adam':
      case 'amsgrad':
        return adaptive(gradient, rate, name === 'amsgrad');
      case 'sgd':
        return rate * gradient;
      case 'momentum:0.9':
        velocity = 0.9 * velocity + gradient;
        return rate * velocity;
      case 'nesterov:0.8':
        velocity = 0.8 * velocity + gradient;
        return rate * (gradient + 0.8 * velocity);
    }
  };
  return (gradient, rate) => {
    weight -= move(gradient, rate);
    return weight;
  };
}

/** tfjs's own for a fixed learning rate; it has no AMSGrad. */
const THEIRS: readonly (readonly [Name, (rate: number) => tf.Optimizer])[] = [
  ['adam', (rate) => tf.train.adam(rate)],
  ['sgd', (rate) => tf.train.sgd(rate)],
  ['momentum:0.9', (rate) => tf.train.momentum(rate, 0.9)],
  ['nesterov:0.8', (rate) => tf.train.momentum(rate, 0.8, true)],
];

/** Gradients of many magnitudes that shrink and grow again, so that a maximum of squares differs from their mean. */
const gradientOf = (step: number) =>
  seededFloats(50, 100 + step).map(
    (value, i) => value * 10 ** ((i % 7) - 3) * (1 + 9 * (step % 11 === 0 ? 1 : 0)),
  );

for (const name of NAMES) {
  describe(name, () => {
    it('follows its formulas, the learning rate changing on the way', () => {
      const initial = seededFloats(50, 1);
      const run = optimiserOn(initial, parseOptimiser(name));
      const references = [...initial].map((value) => referenceOf(name, value));
      let expected: number[] = [];
      for (let step = 0; step < 60; step++) {
        const rate = 0.01 / (1 + (step % 3));
        const gradient = gradientOf(step);
        run.update(gradient, rate);
        expected = references.map((reference, i) => reference(gradient[i]!, rate));
      }
      assert.ok(relativeError(expected, initial) > 0.1, 'the weights moved');
      assert.ok(relativeError(run.values(), expected) < 3e-6);
      run.dispose();
    });

    it('goes on from its state bit for bit, and after a reset as from the beginning', async () => {
      const spec = parseOptimiser(name);
      const straight = optimiserOn([1, -2, 3], spec);
      for (let step = 0; step < 9; step++) straight.update(seededFloats(3, step), 0.05);
      const first = optimiserOn([1, -2, 3], spec);
      for (let step = 0; step < 4; step++) first.update(seededFloats(3, step), 0.05);
      const resumed = optimiserOn(first.values(), spec);
      // Whatever the state before was, it is gone.
      resumed.update([0, 0, 0], 0.05);
      resumed.optimiser.write(structuredClone(await first.optimiser.read()));
      for (let step = 4; step < 9; step++) resumed.update(seededFloats(3, step), 0.05);
      assert.deepEqual(resumed.values(), straight.values());
      assert.deepEqual(await resumed.optimiser.read(), await straight.optimiser.read());
      resumed.optimiser.reset();
      assert.equal((await resumed.optimiser.read()).updateCount, 0);
      const anew = optimiserOn(resumed.values(), spec);
      for (const run of [resumed, anew]) run.update([1, 2, 3], 0.05);
      assert.deepEqual(resumed.values(), anew.values());
      for (const run of [straight, first, resumed, anew]) run.dispose();
    });

    it('frees all that it makes, and does not move a weight whose gradient has always been 0', () => {
      const before = tf.memory().numTensors;
      const run = optimiserOn([3, 4], parseOptimiser(name));
      const alive = tf.memory().numTensors;
      const buffers = tf.backend().numDataIds();
      for (let step = 0; step < 3; step++) run.update([0, 1], 0.1);
      run.optimiser.reset();
      assert.equal(tf.memory().numTensors, alive);
      assert.equal(tf.backend().numDataIds(), buffers);
      assert.equal(run.values()[0], 3);
      run.dispose();
      assert.equal(tf.memory().numTensors, before);
    });
  });
}

for (const [name, makeTheirs] of THEIRS) {
  it(`${name} follows that of tfjs`, () => {
    const optimizer = makeTheirs(0.01);
    const initial = seededFloats(50, 2);
    const run = optimiserOn(initial, parseOptimiser(name));
    const theirs = variableOf(initial, 'theirs');
    for (let step = 0; step < 40; step++) {
      run.update(gradientOf(step), 0.01);
      const tensor = tf.tensor1d(gradientOf(step));
      optimizer.applyGradients([{ name: 'theirs', tensor }]);
      tensor.dispose();
    }
    assert.ok(relativeError(run.values(), theirs.dataSync()) < 1e-5);
    run.dispose();
    optimizer.dispose();
    theirs.dispose();
  });
}

describe('optimisers', () => {
  it('Adam takes the steps of the paper', () => {
    // w = 1, learning rate 0.1.
    // Gradient 0.5: m = 0.05, v = 0.00025; m/(1−0.9) = 0.5, v/(1−0.999) = 0.25
    //   w = 1 − 0.1·0.5/√0.25 = 0.9
    // Gradient −1: m = 0.9·0.05 − 0.1 = −0.055, v = 0.999·0.00025 + 0.001 = 0.00124975
    //   m/(1−0.81) = −0.2894737, v/(1−0.998001) = 0.6251876
    //   w = 0.9 + 0.1·0.2894737/√0.6251876 = 0.9366106
    const run = optimiserOn([1], { kind: 'adam' });
    run.update([0.5], 0.1);
    assert.ok(Math.abs(run.values()[0]! - 0.9) < 1e-6);
    run.update([-1], 0.1);
    assert.ok(Math.abs(run.values()[0]! - 0.9366106) < 1e-6, `${run.values()}`);
    run.dispose();
  });

  it('AMSGrad’s effective step does not grow after a large gradient, Adam’s does', () => {
    const adam = optimiserOn([0], { kind: 'adam' });
    const amsgrad = optimiserOn([0], { kind: 'amsgrad' });
    const moved = [adam, amsgrad].map((run) => {
      run.update([100], 0.001);
      for (let step = 0; step < 3000; step++) run.update([0.01], 0.001);
      const before = run.values()[0]!;
      run.update([0.01], 0.001);
      return before - run.values()[0]!;
    });
    // By then the second moment of Adam has forgotten most of 100² (0.999^3000 = 5 %).
    assert.ok(moved[0]! > 3 * moved[1]!, `${moved}`);
    adam.dispose();
    amsgrad.dispose();
  });

  it('hand out and take copies of their state', async () => {
    const run = optimiserOn([1, 2], { kind: 'adam' });
    run.update([1, -1], 0.1);
    const state = await run.optimiser.read();
    assert.equal(state.updateCount, 1);
    const copy = structuredClone(state);
    run.optimiser.write(state);
    state.tensors[0]!.slots['first']!.fill(9);
    assert.deepEqual(await run.optimiser.read(), copy);
    (await run.optimiser.read()).tensors[0]!.slots['second']!.fill(9);
    assert.deepEqual(await run.optimiser.read(), copy);
    run.dispose();
  });

  it('refuse the state of another kind and say what to do', async () => {
    const adam = optimiserOn([1, 2], { kind: 'adam' });
    const sgd = optimiserOn([1, 2], { kind: 'sgd' });
    adam.update([1, 1], 0.1);
    const before = await adam.optimiser.read();
    const foreign = await sgd.optimiser.read();
    assert.throws(() => adam.optimiser.write(foreign), {
      code: 'CONFIG_INVALID',
      message:
        /is sgd, the one asked for adam: ask for sgd, or remove learner\.checkpoint from the state directory/,
    });
    const incomplete = { ...before, tensors: [{ name: 'w', slots: {} }] };
    assert.throws(() => adam.optimiser.write(incomplete), {
      code: 'MODEL_MISMATCH',
      message: /no values of w \(first\), which has 2 weights/,
    });
    assert.deepEqual(await adam.optimiser.read(), before);
    adam.dispose();
    sgd.dispose();
  });

  it('are read from what a person writes', () => {
    assert.deepEqual(parseOptimiser('adam'), { kind: 'adam' });
    assert.deepEqual(parseOptimiser('momentum:0.9'), { kind: 'momentum', coefficient: 0.9, nesterov: false });
    assert.deepEqual(parseOptimiser('nesterov:.95'), { kind: 'momentum', coefficient: 0.95, nesterov: true });
    const wrong = [
      '',
      'Adam',
      'adam:0.9',
      'momentum',
      'momentum:',
      'momentum:0',
      'momentum:0.0',
      'momentum:1',
      'momentum:1.5',
    ];
    for (const text of [
      ...wrong,
      `momentum:0.${'9'.repeat(30)}`,
      'momentum:-0.9',
      'momentum:0.9 ',
      'rmsprop',
    ]) {
      assert.throws(() => parseOptimiser(text), {
        code: 'CONFIG_INVALID',
        message: /write adam, amsgrad, sgd/,
      });
    }
  });
});
