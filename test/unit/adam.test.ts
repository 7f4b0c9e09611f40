/** Adam against values worked out by hand and against tfjs's own; its state by name. */
import { strict as assert } from 'node:assert';
import { before, describe, it } from 'node:test';
import { Adam } from '@freshet/trainer/learn/adam';
import { selectBackend } from '@freshet/trainer/learn/backends/select-backend';
import * as tf from '@tensorflow/tfjs-core';
import { relativeError, seededFloats } from '../support/numerics.ts';

before(() => selectBackend('wasm'));

/** One variable with Adam on it, driven by plain gradients. */
function adamOn(initial: ArrayLike<number>, learningRate: number) {
  const variable = tf.variable(tf.tensor1d(Float32Array.from(initial)));
  const adam = new Adam(new Map([['w', variable]]), learningRate);
  return {
    adam,
    values: () => [...variable.dataSync()],
    update(gradient: ArrayLike<number>) {
      const tensor = tf.tensor1d(Float32Array.from(gradient));
      adam.update(new Map([['w', tensor]]));
      tensor.dispose();
    },
    dispose() {
      adam.dispose();
      variable.dispose();
    },
  };
}

describe('Adam', () => {
  it('takes the steps of the paper', () => {
    // w = 1, learning rate 0.1.
    // Gradient 0.5: m = 0.05, v = 0.00025; m/(1−0.9) = 0.5, v/(1−0.999) = 0.25
    //   w = 1 − 0.1·0.5/√0.25 = 0.9
    // Gradient −1: m = 0.9·0.05 − 0.1 = −0.055, v = 0.999·0.00025 + 0.001 = 0.00124975
    //   m/(1−0.81) = −0.2894737, v/(1−0.998001) = 0.6251876
    //   w = 0.9 + 0.1·0.2894737/√0.6251876 = 0.9366106
    const run = adamOn([1], 0.1);
    run.update([0.5]);
    assert.ok(Math.abs(run.values()[0]! - 0.9) < 1e-6);
    run.update([-1]);
    assert.ok(Math.abs(run.values()[0]! - 0.9366106) < 1e-6, `${run.values()}`);
    run.dispose();
  });

  it('does not move a weight whose gradient has always been 0', () => {
    const run = adamOn([3, 4], 0.1);
    for (let step = 0; step < 3; step++) run.update([0, 1]);
    assert.equal(run.values()[0], 3);
    run.dispose();
  });

  it('follows tf.train.adam', () => {
    const initial = seededFloats(50, 1);
    const run = adamOn(initial, 0.01);
    const theirs = tf.variable(tf.tensor1d(initial), true, 'theirs');
    const optimizer = tf.train.adam(0.01);
    for (let step = 0; step < 40; step++) {
      const gradient = seededFloats(50, 100 + step).map((value, i) => value * 10 ** ((i % 7) - 3));
      run.update(gradient);
      const tensor = tf.tensor1d(gradient);
      optimizer.applyGradients([{ name: 'theirs', tensor }]);
      tensor.dispose();
    }
    const moved = relativeError(run.values(), initial);
    assert.ok(moved > 0.1, 'the weights moved');
    assert.ok(relativeError(run.values(), theirs.dataSync()) < 1e-5);
    run.dispose();
    optimizer.dispose();
    theirs.dispose();
  });

  it('hands out and takes copies of its state', async () => {
    const run = adamOn([1, 2], 0.1);
    run.update([1, -1]);
    const state = await run.adam.read();
    assert.equal(state.updateCount, 1);
    const copy = structuredClone(state);
    run.adam.write(state);
    state.moments[0]!.first.fill(9);
    assert.deepEqual(await run.adam.read(), copy);
    (await run.adam.read()).moments[0]!.second.fill(9);
    assert.deepEqual(await run.adam.read(), copy);
    run.dispose();
  });
});
