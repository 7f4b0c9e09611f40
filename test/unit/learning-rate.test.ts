/** The learning rate on the stream, and how a warm-up is written. */
import { strict as assert } from 'node:assert';
import { describe, it } from 'node:test';
import { learningRateAt, NO_WARM_UP, parseWarmUp } from '@freshet/trainer/core/learning-rate';
import fc from 'fast-check';
import '../support/seed.ts';

describe('learning rate', () => {
  it('rises in equal steps to the full rate and stays there', () => {
    const rates = [0, 1, 2, 3, 4, 5, 1e9].map((step) => learningRateAt(step, 0.8, { steps: 4, from: 0.5 }));
    assert.deepEqual(
      rates.map((rate) => Math.round(rate * 1e6) / 1e6),
      [0.4, 0.5, 0.6, 0.7, 0.8, 0.8, 0.8],
    );
  });

  it('is the full rate at once without a warm-up', () => {
    assert.equal(learningRateAt(0, 0.1, NO_WARM_UP), 0.1);
    assert.equal(learningRateAt(0, 0.1, parseWarmUp('0')), 0.1);
  });

  it('never falls and never exceeds the full rate', () => {
    const warmUp = fc.record({ steps: fc.nat(1000), from: fc.double({ min: 0, max: 1, noNaN: true }) });
    fc.assert(
      fc.property(warmUp, fc.nat(1100), (options, step) => {
        const rate = learningRateAt(step, 0.1, options);
        assert.ok(rate >= 0 && rate <= 0.1);
        assert.ok(learningRateAt(step + 1, 0.1, options) >= rate);
      }),
    );
  });

  it('is read from what a person writes', () => {
    assert.deepEqual(parseWarmUp('200'), { steps: 200, from: 0.01 });
    assert.deepEqual(parseWarmUp('200:0.1'), { steps: 200, from: 0.1 });
    assert.deepEqual(parseWarmUp('50:0'), { steps: 50, from: 0 });
    for (const text of ['', '-1', '1.5', '10:', '10:1.1', '10:-0.1', '10:x', 'x', '10:0.1:2', '1e3']) {
      assert.throws(() => parseWarmUp(text), { code: 'CONFIG_INVALID', message: /write a number of steps/ });
    }
  });
});
