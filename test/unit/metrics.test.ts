/** Each metric on worked samples, which goes with which loss, and the prequential account of any of them. */
import { strict as assert } from 'node:assert';
import { describe, it } from 'node:test';
import type { TargetFormat } from '@freshet/protocol/sample-format';
import { PrequentialMetric, type PrequentialTotals } from '@freshet/trainer/core/prequential';
import { readingsOf } from '@freshet/trainer/learn/metrics/metric-reading';
import { metricForLoss, namedMetric } from '@freshet/trainer/learn/metrics/metric-registry';
import fc from 'fast-check';
import '../support/seed.ts';

const CLASSES: TargetFormat = { kind: 'class', classCount: 3 };
const VECTOR: TargetFormat = { kind: 'vector', elementCount: 4 };

describe('metrics', () => {
  it('accuracy: whether the largest output is the class; of equal ones the first', () => {
    const { measure, better } = namedMetric('accuracy', CLASSES);
    assert.equal(better, 'higher');
    const outputs = Float32Array.of(-2, 0.5, 0.25);
    assert.deepEqual(
      [0, 1, 2].map((label) => measure(outputs, Int32Array.of(label))),
      [0, 1, 0],
    );
    assert.equal(measure(Float32Array.of(1, 1, 1), Int32Array.of(0)), 1);
  });

  it('exact-match and hamming: labels whose logit is positive', () => {
    const outputs = Float32Array.of(2, -1, 0, 0.1);
    const exact = namedMetric('exact-match', VECTOR);
    const hamming = namedMetric('hamming', VECTOR);
    assert.equal(exact.measure(outputs, Float32Array.of(1, 0, 0, 1)), 1);
    assert.equal(exact.measure(outputs, Float32Array.of(1, 0, 1, 1)), 0);
    assert.equal(hamming.measure(outputs, Float32Array.of(1, 0, 1, 1)), 0.75);
    assert.equal(hamming.measure(outputs, Float32Array.of(0, 1, 0.5, 0.4)), 0);
  });

  it('mean absolute error: lower is better', () => {
    const { measure, better } = namedMetric('mean-absolute-error', VECTOR);
    assert.equal(better, 'lower');
    assert.equal(measure(Float32Array.of(1, 2, 3, 4), Float32Array.of(1, 0, 4, 4)), 0.75);
  });

  it('each loss has one that goes with it; a function on vectors has none', () => {
    assert.equal(metricForLoss('softmax-cross-entropy', CLASSES).name, 'accuracy');
    assert.equal(metricForLoss(null, CLASSES).name, 'accuracy');
    assert.equal(metricForLoss('sigmoid-cross-entropy', VECTOR).name, 'hamming');
    assert.equal(metricForLoss('huber:2', VECTOR).name, 'mean-absolute-error');
    assert.throws(() => metricForLoss(null, VECTOR), { code: 'CONFIG_INVALID', message: /"metric" is miss/ });
  });

  it('a name of the other kind is refused with those there are', () => {
    assert.throws(() => namedMetric('accuracy', VECTOR), {
      code: 'CONFIG_INVALID',
      message: /"metric" is "accuracy"; .*"vector".* exact-match, hamming, mean-absolute-error/,
    });
    assert.throws(() => namedMetric('hamming', CLASSES), { message: /has to be accuracy, or/ });
  });

  it('only accuracy has the names of accuracy', () => {
    const reading = { better: 'lower', cumulative: 0.25, windowed: null } as const;
    const { prequentialAccuracy, windowedAccuracy } = readingsOf({ ...reading, name: 'accuracy' });
    assert.deepEqual([prequentialAccuracy, windowedAccuracy], [0.25, 0]);
    const other = readingsOf({ ...reading, name: 'mean-absolute-error' });
    assert.deepEqual([other.prequentialAccuracy, other.windowedAccuracy], [null, null]);
    assert.equal(other.metric.cumulative, 0.25);
  });
});

const groups = fc.array(
  fc.record({
    seen: fc.integer({ min: 1, max: 9 }),
    sum: fc.double({ min: -1e6, max: 1e6, noNaN: true }),
  }),
  { maxLength: 40 },
);

/** Groups from the newest back until at least `windowCount` samples are in it. */
function windowOf(all: readonly PrequentialTotals[], windowCount: number): readonly PrequentialTotals[] {
  let first = all.length;
  for (let seen = 0; first > 0 && seen < windowCount; seen += all[first]!.seen) first--;
  return all.slice(first);
}

function meanOf(all: readonly PrequentialTotals[]): number | null {
  const seen = all.reduce((sum, group) => sum + group.seen, 0);
  return seen === 0 ? null : all.reduce((sum, group) => sum + group.sum, 0) / seen;
}

describe('PrequentialMetric', () => {
  it('keeps the mean over all, and that over the newest, exactly', () => {
    fc.assert(
      fc.property(groups, fc.integer({ min: 1, max: 30 }), (all, windowCount) => {
        const metric = new PrequentialMetric({ seen: 0, sum: 0 }, windowCount);
        for (const group of all) metric.add(group);
        assert.equal(metric.cumulative(), meanOf(all));
        assert.equal(metric.windowed(), meanOf(windowOf(all, windowCount)));
      }),
    );
  });

  it('goes on from the totals of before', () => {
    const metric = new PrequentialMetric({ seen: 6, sum: 3 }, 10);
    assert.equal(metric.cumulative(), 0.5);
    assert.equal(metric.windowed(), null);
    metric.add({ seen: 2, sum: 3 });
    assert.deepEqual(metric.totals(), { seen: 8, sum: 6 });
    assert.equal(metric.windowed(), 1.5);
  });

  it('has nothing to say before the first sample', () => {
    const metric = new PrequentialMetric({ seen: 0, sum: 0 }, 1);
    assert.deepEqual([metric.cumulative(), metric.windowed()], [null, null]);
  });
});
