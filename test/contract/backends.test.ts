/**
 * What holds on every tfjs backend that can run here: it learns as `cpu` does, its gradients are those of finite
 * differences, and it leaks nothing. Which backends those are depends on the machine; the others are named with the
 * reason. On a machine without a GPU, FRESHET_WEBGPU_SOFTWARE=1 brings in webgpu on a software driver.
 */
import { strict as assert } from 'node:assert';
import { before, describe, it } from 'node:test';
import type { BackendName } from '@freshet/trainer/learn/backends/backend';
import { selectBackend } from '@freshet/trainer/learn/backends/select-backend';
import { TrainStep } from '@freshet/trainer/learn/train-step';
import * as tf from '@tensorflow/tfjs-core';
import { presentBackends } from '../support/backends.ts';
import { contractRecipe } from '../support/contract-recipe.ts';
import { DIFFERENTIABLE, type DifferentiableOp } from '../support/differentiable-ops.ts';
import { dot, elementsOf, relativeError, seededFloats } from '../support/numerics.ts';
import { batchOf, samplesOf } from '../support/small-recipe.ts';

const SEED = 20_261_124;
const STEPS = 20;
const BATCH = 16;
/** Rounding of float32 in another order, grown over 20 steps. A wrong gradient shows in the second loss already. */
const CURVE_TOLERANCE = 1e-3;
/** float32 sums of a few hundred terms. */
const GRADIENT_TOLERANCE = 1e-4;
const DIRECTIONS = 3;

const { present, absent } = await presentBackends();

/** Losses of the first steps from equal weights, on equal batches, by the backend in use. */
async function lossCurve(): Promise<number[]> {
  const trainee = new TrainStep(contractRecipe, { seed: SEED, learningRate: 0.01 });
  const { train } = samplesOf(contractRecipe);
  const losses: number[] = [];
  for (let step = 0; step < STEPS; step++) {
    const { inputs, targets } = batchOf(contractRecipe, train, step * BATCH, BATCH);
    losses.push((await trainee.step(inputs, targets, 4)).loss);
  }
  trainee.dispose();
  return losses;
}

async function read(tensor: tf.Tensor): Promise<Float32Array> {
  const values = Float32Array.from(await tensor.data<'float32'>());
  tensor.dispose();
  return values;
}

/** Σ R ⊙ op(inputs), summed up in doubles: the GPU's own sum would lose what the differences are made of. */
async function weighedOutput(op: DifferentiableOp, inputs: readonly Float32Array[], r: Float32Array) {
  const output = await read(
    tf.tidy(() => op.apply(inputs.map((values, i) => tf.tensor(values.slice(), [...op.shapes[i]!])))),
  );
  return dot(r, output);
}

async function gradientsOf(op: DifferentiableOp, inputs: readonly Float32Array[], r: Float32Array) {
  const gradients = tf.tidy(() =>
    tf.grads((...given: tf.Tensor[]) => {
      const output = op.apply(given);
      return tf.sum(tf.mul(output, tf.tensor(r.slice(), output.shape)));
    })(inputs.map((values, i) => tf.tensor(values.slice(), [...op.shapes[i]!]))),
  );
  return Promise.all(gradients.map(read));
}

/** Along random directions of each input: ⟨gradient, d⟩ = (f(x + h·d) − f(x − h·d)) / 2h. */
async function checkGradients(op: DifferentiableOp): Promise<void> {
  const inputs = op.shapes.map((shape, i) => op.values?.(i) ?? seededFloats(elementsOf(shape), SEED + i));
  const outputs = tf.tidy(() => op.apply(op.shapes.map((shape) => tf.zeros([...shape]))).size);
  const r = seededFloats(outputs, SEED + 10);
  const gradients = await gradientsOf(op, inputs, r);
  for (const [i, gradient] of gradients.entries()) {
    for (let direction = 0; direction < DIRECTIONS; direction++) {
      const d = seededFloats(gradient.length, SEED + 20 + direction);
      const at = async (sign: number) => {
        const moved = inputs.map((values, j) =>
          j === i ? values.map((v, k) => v + sign * op.h * d[k]!) : values,
        );
        return weighedOutput(op, moved, r);
      };
      const difference = ((await at(1)) - (await at(-1))) / (2 * op.h);
      const error = Math.abs(dot(gradient, d) - difference) / Math.sqrt(dot(gradient, gradient) + 1e-12);
      assert.ok(error < (op.tolerance ?? GRADIENT_TOLERANCE), `input ${i}: off by ${error} of its norm`);
    }
  }
}

describe('tfjs backends', () => {
  it('are present, or absent for a reason', (test) => {
    for (const line of absent) test.diagnostic(line);
    assert.ok(
      absent.every((line) => /^[-\w]+: .+/.test(line)),
      absent.join('\n'),
    );
    assert.ok(present.includes('wasm') && present.includes('cpu'));
  });
});

let reference: number[] = [];
before(async () => {
  await selectBackend('cpu');
  reference = await lossCurve();
});

function contractOf(name: BackendName): void {
  describe(`the contract of ${name}`, () => {
    before(() => selectBackend(name));

    it(`has the loss curve of cpu for ${STEPS} steps`, async () => {
      const tensors = tf.memory().numTensors;
      const losses = await lossCurve();
      assert.ok(losses.at(-1)! < 0.8 * losses[0]!, `it learns: ${losses}`);
      assert.ok(relativeError(losses, reference) < CURVE_TOLERANCE, `${losses} against ${reference}`);
      assert.equal(tf.memory().numTensors, tensors);
    });

    it('holds no more tensors and buffers after many steps than after one', async () => {
      const trainee = new TrainStep(contractRecipe, { seed: SEED });
      const { train } = samplesOf(contractRecipe);
      const { inputs, targets } = batchOf(contractRecipe, train, 0, BATCH);
      await trainee.step(inputs, targets, 4);
      await trainee.readWeights();
      const held = { tensors: tf.memory().numTensors, buffers: tf.backend().numDataIds() };
      for (let step = 0; step < 3; step++) {
        await trainee.step(inputs, targets, 4);
        await trainee.predict(inputs, BATCH);
        await trainee.readWeights();
        await trainee.readOptimizer();
      }
      assert.deepEqual({ tensors: tf.memory().numTensors, buffers: tf.backend().numDataIds() }, held);
      trainee.dispose();
    });

    it('sums up more tensors than a shader binds', async () => {
      const terms = Array.from({ length: 150 }, (_, i) => tf.tensor1d([i, 1]));
      assert.deepEqual([...(await read(tf.addN(terms)))], [(150 * 149) / 2, 150]);
      tf.dispose(terms);
    });

    for (const op of DIFFERENTIABLE) {
      if (op.notOn?.includes(name)) continue;
      it(`differentiates ${op.name}`, () => checkGradients(op));
    }
  });
}

for (const name of present) contractOf(name);
