/** Element order: the permutation table against tfjs's own transpose, and moving weights through it and back. */
import { strict as assert } from 'node:assert';
import { before, describe, it } from 'node:test';
import { InvariantError } from '@freshet/protocol/assert';
import { transposedPositions } from '@freshet/trainer/onnx/axis-permutation';
import {
  gatherCanonical,
  scatterCanonical,
  type WeightBinding,
} from '@freshet/trainer/onnx/canonical-weights';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import '../support/seed.ts';
import { useCpuBackend } from '../support/tfjs-models.ts';
import { assertSameBits, floatBits, weightsOfBits } from '../support/weights.ts';

const shapeAndAxes = fc.array(fc.nat({ max: 4 }), { maxLength: 4 }).chain((shape) =>
  fc.tuple(
    fc.constant(shape),
    fc.shuffledSubarray(
      shape.map((_, axis) => axis),
      { minLength: shape.length },
    ),
  ),
);

describe('transposedPositions', () => {
  before(useCpuBackend);

  it('turns rows into columns', () => {
    // [[0, 1, 2], [3, 4, 5]] transposed is [[0, 3], [1, 4], [2, 5]].
    assert.deepEqual(transposedPositions([2, 3], [1, 0]), Uint32Array.of(0, 3, 1, 4, 2, 5));
  });

  it('is null where nothing moves', () => {
    assert.equal(transposedPositions([5, 1, 1, 1], [3, 2, 0, 1]), null);
    assert.equal(transposedPositions([2, 3], [0, 1]), null);
    assert.equal(transposedPositions([], []), null);
  });

  it('agrees with tfjs', () => {
    fc.assert(
      fc.property(shapeAndAxes, ([shape, axes]) => {
        const elementCount = shape.reduce((product, dimension) => product * dimension, 1);
        const expected = tf.tidy(() =>
          tf
            .transpose(tf.reshape(tf.range(0, elementCount, 1, 'int32'), shape), axes)
            .dataSync<'int32'>()
            .slice(),
        );
        const identity = Uint32Array.from({ length: elementCount }, (_, i) => i);
        assert.deepEqual([...(transposedPositions(shape, axes) ?? identity)], [...expected]);
      }),
    );
  });
});

const bindings: readonly WeightBinding[] = [
  {
    initializerName: 'conv/kernel',
    tfjsWeightName: 'conv/kernel',
    shape: [3, 2],
    toCanonical: Uint32Array.of(0, 3, 1, 4, 2, 5),
  },
  { initializerName: 'conv/bias', tfjsWeightName: 'conv/bias', shape: [], toCanonical: null },
  { initializerName: 'dense/kernel', tfjsWeightName: 'dense/kernel', shape: [0, 4], toCanonical: null },
];

describe('canonical weights', () => {
  it('are gathered in the order of the bindings', () => {
    const tfjs: Record<string, Float32Array> = {
      'conv/kernel': Float32Array.of(0, 1, 2, 3, 4, 5),
      'conv/bias': Float32Array.of(6),
      'dense/kernel': new Float32Array(0),
    };
    const canonical = new Float32Array(7);
    gatherCanonical(bindings, (name) => tfjs[name]!, canonical);
    assert.deepEqual([...canonical], [0, 3, 1, 4, 2, 5, 6]);
  });

  it('are scattered to where they came from, bit by bit', () => {
    fc.assert(
      fc.property(fc.array(floatBits, { minLength: 7, maxLength: 7 }).map(weightsOfBits), (canonical) => {
        const tfjs: Record<string, Float32Array> = {
          'conv/kernel': new Float32Array(6),
          'conv/bias': new Float32Array(1),
          'dense/kernel': new Float32Array(0),
        };
        scatterCanonical(bindings, canonical, (name) => tfjs[name]!);
        const gathered = new Float32Array(7);
        gatherCanonical(bindings, (name) => tfjs[name]!, gathered);
        assertSameBits(gathered, canonical);
      }),
    );
  });

  it('are as many as the bindings say', () => {
    const [kernel] = bindings;
    for (const [tfjsCount, canonicalCount] of [
      [1, 6],
      [6, 5],
      [6, 7],
    ] as const) {
      const tfjs = () => new Float32Array(tfjsCount);
      const canonical = new Float32Array(canonicalCount);
      assert.throws(() => gatherCanonical([kernel!], tfjs, canonical), InvariantError);
      assert.throws(() => scatterCanonical([kernel!], canonical, tfjs), InvariantError);
    }
  });
});
