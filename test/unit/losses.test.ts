/** Each loss: worked values, and its gradient against central differences, on wasm and on cpu. */
import { strict as assert } from 'node:assert';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { TargetFormat } from '@freshet/protocol/sample-format';
import { selectBackend } from '@freshet/trainer/learn/backends/select-backend';
import { namedLoss } from '@freshet/trainer/learn/losses/loss-registry';
import * as tf from '@tensorflow/tfjs-core';
import { centralDifferences, relativeError, seededFloats } from '../support/numerics.ts';

const BATCH = 4;
const COUNT = 3;
const CLASSES: TargetFormat = { kind: 'class', classCount: COUNT };
const VECTOR: TargetFormat = { kind: 'vector', elementCount: COUNT };

interface Case {
  readonly loss: string;
  readonly target: TargetFormat;
  readonly targets: readonly number[];
  /** Of a whole batch, in doubles. */
  readonly reference: (outputs: ArrayLike<number>, targets: readonly number[]) => number;
}

const mean = (of: (output: number, target: number) => number): Case['reference'] => {
  return (outputs, targets) =>
    targets.reduce((sum, target, i) => sum + of(outputs[i]!, target), 0) / targets.length;
};

const huberOf = (delta: number) =>
  mean((output, target) => {
    const error = Math.abs(output - target);
    return error <= delta ? error ** 2 / 2 : delta * (error - delta / 2);
  });

const numbers = [...seededFloats(BATCH * COUNT, 3)];

const CASES: readonly Case[] = [
  {
    loss: 'softmax-cross-entropy',
    target: CLASSES,
    targets: [0, 2, 1, 1],
    reference: (outputs, targets) => {
      const rows = targets.map((label, row) => {
        const logits = Array.from({ length: COUNT }, (_, i) => outputs[row * COUNT + i]!);
        return Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit), 0)) - logits[label]!;
      });
      return rows.reduce((sum, row) => sum + row, 0) / rows.length;
    },
  },
  {
    loss: 'sigmoid-cross-entropy',
    target: VECTOR,
    targets: [0, 1, 1, 0, 0.25, 1, 1, 0, 0, 1, 0.5, 0],
    reference: mean((x, z) => {
      const probability = 1 / (1 + Math.exp(-x));
      return -z * Math.log(probability) - (1 - z) * Math.log(1 - probability);
    }),
  },
  { loss: 'mean-squared-error', target: VECTOR, targets: numbers, reference: mean((x, z) => (x - z) ** 2) },
  { loss: 'huber', target: VECTOR, targets: numbers, reference: huberOf(1) },
  { loss: 'huber:0.3', target: VECTOR, targets: numbers, reference: huberOf(0.3) },
];

/** Spread wide enough for both branches of Huber's loss. */
const outputs = seededFloats(BATCH * COUNT, 7).map((value) => 2.5 * value);

function tensorsOf({ target, targets }: Case) {
  return target.kind === 'class'
    ? tf.tensor1d([...targets], 'int32')
    : tf.tensor2d([...targets], [BATCH, COUNT]);
}

async function lossAndGradient(each: Case, at: Float32Array) {
  const loss = namedLoss(each.loss, each.target);
  const { value, grad } = tf.tidy(() => {
    const targets = tensorsOf(each);
    return tf.valueAndGrad((x) => loss(targets, tf.reshape(x, [BATCH, COUNT])))(tf.tensor1d(at.slice()));
  });
  const result = { value: (await value.data())[0]!, gradient: Float32Array.from(await grad.data()) };
  tf.dispose([value, grad]);
  return result;
}

for (const backend of ['wasm', 'cpu'] as const) {
  describe(`losses on ${backend}`, () => {
    let tensors = 0;
    beforeEach(async () => {
      await selectBackend(backend);
      tensors = tf.memory().numTensors;
    });
    afterEach(() => assert.equal(tf.memory().numTensors, tensors, 'all tensors are freed'));

    for (const each of CASES) {
      it(`${each.loss}: value and gradient`, async () => {
        const { value, gradient } = await lossAndGradient(each, outputs);
        assert.ok(Math.abs(value - each.reference(outputs, each.targets)) < 1e-5);
        // The reference is in doubles, so that h can be small enough for its curvature.
        const differences = centralDifferences((point) => each.reference(point, each.targets), outputs, 1e-3);
        assert.ok(gradient.some((entry) => Math.abs(entry) > 0.01));
        const scaled = (of: ArrayLike<number>) => Float64Array.from(of, (entry) => BATCH * COUNT * entry);
        assert.ok(relativeError(scaled(gradient), scaled(differences)) < 5e-4);
      });
    }

    it('sigmoid cross-entropy has its gradient where a logit is zero, a kink of the parts that tfjs adds up', async () => {
      const each = CASES.find(({ loss }) => loss === 'sigmoid-cross-entropy')!;
      const { value, gradient } = await lossAndGradient(each, new Float32Array(BATCH * COUNT));
      assert.ok(Math.abs(value - Math.LN2) < 1e-6);
      const expected = each.targets.map((target) => (0.5 - target) / (BATCH * COUNT));
      assert.ok(relativeError(gradient, expected) < 1e-6);
    });

    it('stays finite for logits of any size', async () => {
      const huge = outputs.map((value) => 1e4 * value);
      for (const each of CASES) {
        const { value, gradient } = await lossAndGradient(each, huge);
        assert.ok(Number.isFinite(value) && gradient.every(Number.isFinite), each.loss);
      }
    });

    it("Huber's loss pulls no harder than delta", async () => {
      const each = CASES.find(({ loss }) => loss === 'huber:0.3')!;
      const { gradient } = await lossAndGradient(each, outputs.slice().fill(1e6, 0, 1));
      assert.ok(Math.abs(gradient[0]! - 0.3 / (BATCH * COUNT)) < 1e-6);
    });
  });
}

describe('naming a loss', () => {
  const refusals: readonly [string, TargetFormat, RegExp][] = [
    ['huber', CLASSES, /"loss" is "huber"; with a target of kind "class".* softmax-cross-entropy, or a func/],
    [
      'softmax-cross-entropy',
      VECTOR,
      /kind "vector" it has to be one of sigmoid-cross-entropy, mean-squared/,
    ],
    ['huber:0', VECTOR, /"huber:0"; DELTA .* positive number/],
    ['huber:wide', VECTOR, /"huber:wide"; DELTA .* positive number/],
    ['huber:Infinity', VECTOR, /DELTA .* positive number/],
    ['hinge', VECTOR, /"loss" is "hinge"/],
  ];
  for (const [loss, target, message] of refusals) {
    it(`refuses ${loss} for a target of kind ${target.kind}`, () => {
      assert.throws(() => namedLoss(loss, target), { code: 'CONFIG_INVALID', message });
    });
  }
});
