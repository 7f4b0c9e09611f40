/** What the options of the selection do to a publication, on worked numbers. */
import { strict as assert } from 'node:assert';
import { describe, it } from 'node:test';
import { asWeightsVersion } from '@freshet/protocol/ids';
import { ShadowPublisher } from '@freshet/trainer/core/shadow-publisher';
import {
  parseSelectionMeasure,
  parseSelectionScope,
  type Selection,
} from '@freshet/trainer/core/sparsifiers/selection';
import { modelOfShapes } from '../support/tiny-model.ts';

const NEXT = asWeightsVersion(2);
/** Four weights around 100, four around 1, two around 0.01. */
const MODEL = modelOfShapes([[4], [2, 2], [2]]);
const SHADOW = Float32Array.of(100, -100, 100, -100, 1, -1, 1, -1, 0.01, -0.01);
/** Moved by 3, 2, 1, 0; by 0.5, 0.1, 0.02, 0.01; by 0.004, 0.002. */
const TRAINED = Float32Array.of(103, -102, 101, -100, 1.5, -1.1, 1.02, -1.01, 0.014, -0.012);

function publish(density: number, selection: Selection | undefined, now?: number): number[] {
  const formats = MODEL.tensors.map(() => 'f32' as const);
  const options = { density, formats, ...(selection === undefined ? {} : { selection }) };
  const publisher = new ShadowPublisher(SHADOW, MODEL, options);
  return [...publisher.publish(TRAINED, NEXT, now).delta.indices];
}

describe('selection', () => {
  it('takes the largest changes of the whole model by default', () => {
    assert.deepEqual(publish(0.4, undefined), [0, 1, 2, 4]);
    assert.deepEqual(publish(0.4, { scope: 'global', measure: 'magnitude' }), [0, 1, 2, 4]);
  });

  it('relative: in proportion to the root mean square of the trained weights of the tensor', () => {
    // 3/101.5 = 0.030, 0.5/1.18 = 0.42, 0.1/1.18 = 0.085, 0.004/0.013 = 0.31, 0.002/0.013 = 0.15
    assert.deepEqual(publish(0.4, { scope: 'global', measure: 'relative' }), [4, 5, 8, 9]);
  });

  it('per tensor: its share rounded down, but one at least', () => {
    // Of 4, 4 and 2 weights: 1.6, 1.6 and 0.8.
    assert.deepEqual(publish(0.4, { scope: 'per-tensor', measure: 'magnitude' }), [0, 4, 8]);
    // 2.4, 2.4 and 1.2
    for (const measure of ['magnitude', 'relative'] as const) {
      assert.deepEqual(publish(0.6, { scope: 'per-tensor', measure }), [0, 1, 4, 5, 8]);
    }
  });

  it('relative: a tensor of zeros has no scale and counts as it is', () => {
    const model = modelOfShapes([[2], [2]]);
    const options = {
      density: 0.5,
      formats: ['f32', 'f32'] as const,
      selection: { scope: 'global', measure: 'relative' } as const,
    };
    const publisher = new ShadowPublisher(Float32Array.of(0.5, 0.25, 8, 8), model, options);
    assert.deepEqual([...publisher.publish(Float32Array.of(0, 0, 8, 4), NEXT).delta.indices], [0, 3]);
  });

  it('a density for one publication goes before that of the options', () => {
    assert.deepEqual(publish(0.4, undefined, 0.1), [0]);
    assert.throws(() => publish(0.4, undefined, 0), /density in \(0, 1\]/);
  });

  it('is read from what a person writes', () => {
    assert.equal(parseSelectionScope('per-tensor'), 'per-tensor');
    assert.equal(parseSelectionMeasure('relative'), 'relative');
    assert.throws(() => parseSelectionScope('layer'), {
      code: 'CONFIG_INVALID',
      message: '--select layer: write global or per-tensor',
    });
    assert.throws(() => parseSelectionMeasure(''), {
      code: 'CONFIG_INVALID',
      message: '--by : write magnitude or relative',
    });
  });
});
