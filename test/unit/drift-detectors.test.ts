/**
 * That the detectors behave as published: silent on a stream that does not change, quick on one that does, and the same
 * by the formulas of their papers. Streams are drawn from the seed of the run, and every bound is chosen so that chance
 * alone exceeds it less often than once in a million runs; where the default settings allow more than that, a test has a
 * seed of its own.
 */
import { strict as assert } from 'node:assert';
import { describe, it } from 'node:test';
import { Adwin } from '@freshet/trainer/core/drift/adwin';
import { createDriftDetector, restoreDriftDetector } from '@freshet/trainer/core/drift/create-detector';
import type { DriftChange, DriftDetector } from '@freshet/trainer/core/drift/drift-detector';
import { LossScale } from '@freshet/trainer/core/drift/loss-scale';
import { PageHinkley } from '@freshet/trainer/core/drift/page-hinkley';
import { createRandom, type Random } from '@freshet/trainer/core/random';
import { unitReal } from '@freshet/trainer/core/samplers/unit-real';
import { seed } from '../support/seed.ts';

const adwin = (delta: number) => new Adwin({ kind: 'adwin', delta, rows: [] });

function pageHinkley(delta: number, threshold: number): PageHinkley {
  return new PageHinkley({ kind: 'page-hinkley', delta, threshold, count: 0, mean: 0, risen: 0, fallen: 0 });
}

const bernoulli = (chance: number, random: Random): number => (unitReal(random) < chance ? 1 : 0);

/** Box and Muller. */
function gaussian(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - unitReal(random))) * Math.cos(2 * Math.PI * unitReal(random));
}

/** The changes that `detector` reports on `count` values. */
function changesIn(detector: DriftDetector, count: number, valueAt: (i: number) => number): DriftChange[] {
  const changes: DriftChange[] = [];
  for (let i = 0; i < count; i++) {
    const change = detector.add(valueAt(i));
    if (change !== 'none') changes.push(change);
  }
  return changes;
}

interface Detection {
  /** Values until the change was reported, counted from 1; Infinity when it was not. */
  readonly delay: number;
  readonly change: DriftChange;
}

function detectionIn(detector: DriftDetector, count: number, valueAt: (i: number) => number): Detection {
  for (let i = 0; i < count; i++) {
    const change = detector.add(valueAt(i));
    if (change !== 'none') return { delay: i + 1, change };
  }
  return { delay: Number.POSITIVE_INFINITY, change: 'none' };
}

describe('ADWIN', () => {
  for (const chance of [0.02, 0.3, 0.5]) {
    it(`finds no change in 100,000 Bernoulli(${chance})`, () => {
      // Theorem 3.1: at each value a false alarm has a chance of at most δ. 10^5 · 10^−12 = 10^−7.
      const random = createRandom(seed ^ 21);
      assert.deepEqual(
        changesIn(adwin(1e-12), 100_000, () => bernoulli(chance, random)),
        [],
      );
    });
  }

  it('raises false alarms far more rarely than its δ, with the default', () => {
    // δ = 0.002 allows 200 in 100,000 values. In 1,000,000 measured there was none; ten are past all chance.
    const random = createRandom(seed ^ 22);
    const alarms = changesIn(createDriftDetector('adwin'), 100_000, () => bernoulli(0.2, random));
    assert.ok(alarms.length < 10, `${alarms.length} alarms`);
  });

  it('raises more of them with a larger δ', () => {
    // Measured: 52 in 100,000 at δ = 0.3, where δ = 0.002 gave none.
    const random = createRandom(seed ^ 23);
    const alarms = changesIn(adwin(0.3), 100_000, () => bernoulli(0.3, random));
    assert.ok(alarms.length > 5 && alarms.length < 300, `${alarms.length} alarms`);
  });

  /** ε of 4.1, for values of variance `variance`. */
  function cutBound(before: number, after: number, variance: number, delta: number): number {
    const inverse = 1 / before + 1 / after;
    const confidence = Math.log((2 * Math.log(before + after)) / delta);
    return Math.sqrt(2 * inverse * variance * confidence) + (2 / 3) * inverse * confidence;
  }

  const jumps: readonly [number, number][] = [
    [0.2, 0.3],
    [0.2, 0.4],
    [0.1, 0.5],
    [0.5, 0.2],
  ];
  for (const [from, to] of jumps) {
    it(`sees a jump from ${from} to ${to} as soon as its theorem says`, () => {
      // Theorem 3.1: with a chance of 1 − δ there is a cut once the means differ by 2 ε. δ = 10^−8 here. A quarter more
      // values, because the change need not lie where a bucket ends.
      const delta = 1e-8;
      const before = 5_000;
      const random = createRandom(seed ^ 24);
      let after = 5;
      const variance = Math.max(from * (1 - from), to * (1 - to));
      while (2 * cutBound(before, after, variance, delta) > Math.abs(to - from)) after++;
      const detector = adwin(delta);
      assert.deepEqual(
        changesIn(detector, before, () => bernoulli(from, random)),
        [],
      );
      const { delay, change } = detectionIn(detector, 10_000, () => bernoulli(to, random));
      assert.equal(change, to > from ? 'rise' : 'fall');
      assert.ok(delay <= after * 1.25, `${delay} values, the theorem allows ${after}`);
      assert.ok(delay >= 10, `${delay} values cannot tell`);
    });
  }

  it('forgets what was before a jump, and nothing else', () => {
    const random = createRandom(seed ^ 25);
    const detector = adwin(1e-8);
    for (let i = 0; i < 5_000; i++) detector.add(bernoulli(0.1, random));
    for (let i = 0; i < 2_000; i++) detector.add(bernoulli(0.8, random));
    const { count, mean } = detector.window();
    assert.ok(count <= 2_100 && count >= 1_500, `${count} values left`);
    // 7 deviations of a mean of 1,500 values.
    assert.ok(Math.abs(mean - 0.8) < 0.075, `mean ${mean}`);
  });

  it('sees a slow rise while it goes on, and follows it', () => {
    // From 0.2, by 0.1 every 2,000 values. Seen after about 2,500 (measured); a false alarm has no chance at this δ.
    const random = createRandom(seed ^ 26);
    const detector = adwin(1e-8);
    const chanceAt = (i: number) => 0.2 + i / 20_000;
    for (let i = 0; i < 5_000; i++) detector.add(bernoulli(0.2, random));
    const { delay, change } = detectionIn(detector, 12_000, (i) => bernoulli(chanceAt(i), random));
    assert.equal(change, 'rise');
    assert.ok(delay < 6_000, `${delay} values`);
    const later = changesIn(detector, 8_000, (i) => bernoulli(Math.min(0.95, chanceAt(delay + i)), random));
    assert.ok(later.length >= 1 && later.every((each) => each === 'rise'), `${later}`);
  });

  it('knows count, mean and variance of exactly the newest values that it keeps', () => {
    const random = createRandom(seed ^ 27);
    const detector = adwin(0.01);
    const values: number[] = [];
    for (let i = 0; i < 3_000; i++) {
      const value = i < 1_700 ? unitReal(random) * 0.4 : 0.5 + unitReal(random) * 0.5;
      values.push(value);
      detector.add(value);
      const { count, mean, squares } = detector.window();
      if (i % 97 !== 0) continue;
      const kept = values.slice(-count);
      const exactMean = kept.reduce((sum, each) => sum + each, 0) / count;
      const exactSquares = kept.reduce((sum, each) => sum + (each - exactMean) ** 2, 0);
      assert.ok(Math.abs(mean - exactMean) < 1e-12);
      assert.ok(Math.abs(squares - exactSquares) < 1e-9 * count);
    }
    assert.ok(detector.window().count < 1_400, 'the jump has been cut off');
  });

  it('cuts exactly where the formulas of the paper say, computed from all values', () => {
    const random = createRandom(seed ^ 28);
    const delta = 0.05;
    const detector = adwin(delta);
    const reference = textbookAdwin(delta);
    let cuts = 0;
    for (let i = 0; i < 2_500; i++) {
      const value = unitReal(random) * (i % 400 < 200 ? 0.6 : 1);
      const change = reference(value);
      assert.equal(detector.add(value), change, `value ${i}`);
      if (change !== 'none') cuts++;
    }
    assert.ok(cuts >= 5, `${cuts} cuts: too few to compare`);
  });

  /** ADWIN2 with all values of its window, and the counts of its buckets, oldest first. */
  function textbookAdwin(delta: number): (value: number) => DriftChange {
    const values: number[] = [];
    let buckets: number[] = [];
    const mean = (part: readonly number[]) => part.reduce((sum, each) => sum + each, 0) / part.length;
    const findCut = (): DriftChange => {
      const [total, center] = [values.length, mean(values)];
      const variance = values.reduce((sum, each) => sum + (each - center) ** 2, 0) / total;
      let before = 0;
      for (const count of buckets) {
        before += count;
        if (before < 5 || total - before < 5) continue;
        const difference = mean(values.slice(before)) - mean(values.slice(0, before));
        if (Math.abs(difference) > cutBound(before, total - before, variance, delta))
          return difference > 0 ? 'rise' : 'fall';
      }
      return 'none';
    };
    return (value) => {
      values.push(value);
      buckets.push(1);
      for (let count = 1; buckets.filter((each) => each === count).length > 5; count *= 2) {
        const oldest = buckets.indexOf(count);
        buckets = [...buckets.slice(0, oldest), 2 * count, ...buckets.slice(oldest + 2)];
      }
      const change = findCut();
      while (findCut() !== 'none') values.splice(0, buckets.shift());
      return change;
    };
  }

  it('keeps O(log n) numbers', () => {
    const detector = adwin(1e-12);
    for (let i = 0; i < 50_000; i++) detector.add((i % 10) / 10);
    const { rows } = detector.state();
    assert.ok(rows.length <= 15 && rows.every((row) => row.length <= 5));
    assert.equal(detector.window().count, 50_000);
  });

  it('asserts that values are in [0, 1], where its bound holds', () => {
    assert.throws(() => adwin(0.1).add(1.5), /ADWIN is for values in \[0, 1\]/);
    assert.throws(() => adwin(0.1).add(Number.NaN), /ADWIN is for values/);
  });
});

describe('Page–Hinkley', () => {
  it('finds no change in 100,000 Bernoulli(0.2)', () => {
    // Each way up from 0 gets to λ with a chance of about e^(−2δλ/σ²) = e^(−2 · 0.05 · 60 / 0.16) = 5 · 10^−17.
    const random = createRandom(seed ^ 31);
    assert.deepEqual(
      changesIn(pageHinkley(0.05, 60), 100_000, () => bernoulli(0.2, random)),
      [],
    );
  });

  it('raises false alarms about as often as its formula says', () => {
    // e^(−2 · 0.05 · 5 / 0.16) = 0.04 of the ways up, of which there are thousands.
    const random = createRandom(seed ^ 32);
    const alarms = changesIn(pageHinkley(0.05, 5), 100_000, () => bernoulli(0.2, random));
    assert.ok(alarms.length > 20, `${alarms.length} alarms`);
  });

  it('sees a jump by Δ after about λ / (Δ − δ) values', () => {
    // 60 / (0.5 − 0.05) = 133; the sum of so many values deviates by √133 · 0.46 = 5.3, that is 12 values.
    for (const [from, to, change] of [
      [0.2, 0.7, 'rise'],
      [0.7, 0.2, 'fall'],
    ] as const) {
      const random = createRandom(seed ^ 33);
      const detector = pageHinkley(0.05, 60);
      assert.deepEqual(
        changesIn(detector, 2_000, () => bernoulli(from, random)).filter((each) => each === change),
        [],
      );
      const detection = detectionIn(detector, 1_000, () => bernoulli(to, random));
      assert.equal(detection.change, change);
      assert.ok(detection.delay > 60 && detection.delay < 210, `${detection.delay} values`);
    }
  });

  it('sees a slow rise while it goes on', () => {
    const random = createRandom(seed ^ 34);
    const detector = pageHinkley(0.05, 60);
    for (let i = 0; i < 5_000; i++) detector.add(bernoulli(0.2, random));
    const { delay, change } = detectionIn(detector, 12_000, (i) => bernoulli(0.2 + i / 20_000, random));
    assert.equal(change, 'rise');
    assert.ok(delay < 6_000, `${delay} values`);
  });

  it('is m_T − min m_t of the papers', () => {
    const random = createRandom(seed ^ 35);
    const detector = pageHinkley(0.01, 3);
    let seen: number[] = [];
    let alarms = 0;
    for (let i = 0; i < 5_000; i++) {
      const value = unitReal(random) * (i % 1_000 < 500 ? 1 : 0.6);
      seen.push(value);
      const expected = seen.length < 30 ? 'none' : textbook(seen, 0.01, 3);
      assert.equal(detector.add(value), expected);
      if (expected === 'none') continue;
      alarms++;
      seen = [];
    }
    assert.ok(alarms > 5, `${alarms} alarms: too few to compare`);
  });

  function textbook(values: readonly number[], delta: number, threshold: number): DriftChange {
    let [sum, rise, riseMin, fall, fallMax] = [0, 0, 0, 0, 0];
    for (const [i, value] of values.entries()) {
      sum += value;
      rise += value - sum / (i + 1) - delta;
      fall += value - sum / (i + 1) + delta;
      riseMin = Math.min(riseMin, rise);
      fallMax = Math.max(fallMax, fall);
    }
    if (rise - riseMin > threshold) return 'rise';
    return fallMax - fall > threshold ? 'fall' : 'none';
  }
});

describe('loss scale', () => {
  it('is the logistic function of standard deviations from the mean of the first 32', () => {
    const scale = new LossScale();
    // Mean 2, sum of squares 32, deviation √(32/31).
    for (let i = 0; i < 32; i++) assert.equal(scale.valueOf(i % 2 === 0 ? 1 : 3), null);
    assert.equal(scale.valueOf(2), 0.5);
    const deviation = Math.sqrt(32 / 31);
    assert.ok(Math.abs(scale.valueOf(2 + deviation)! - 1 / (1 + Math.exp(-1))) < 1e-12);
    assert.ok(Math.abs(scale.valueOf(2 - 2 * deviation)! - 1 / (1 + Math.exp(2))) < 1e-12);
    assert.equal(scale.valueOf(1e300), 1);
    assert.equal(scale.valueOf(-1e300), 0);
  });

  it('gives the same values whatever the unit of the loss', () => {
    const random = createRandom(seed ^ 41);
    const scales = [new LossScale(), new LossScale()];
    for (let i = 0; i < 100; i++) {
      const loss = gaussian(random);
      const [plain, scaled] = [scales[0]!.valueOf(loss), scales[1]!.valueOf(loss * 1e-6 - 40)];
      assert.equal(plain === null, scaled === null);
      assert.ok(Math.abs((plain ?? 0) - (scaled ?? 0)) < 1e-6);
    }
  });

  it('tells larger from smaller where all first losses were the same', () => {
    const scale = new LossScale();
    for (let i = 0; i < 32; i++) scale.valueOf(0.25);
    assert.deepEqual([scale.valueOf(0.24), scale.valueOf(0.25), scale.valueOf(0.26)], [0, 0.5, 1]);
  });

  it('asserts that losses are finite', () => {
    assert.throws(() => new LossScale().valueOf(Number.NaN), /a loss that is finite/);
  });
});

describe('detectors on scaled losses, with their defaults', () => {
  for (const name of ['adwin', 'page-hinkley'] as const) {
    it(`${name} is silent on 20,000 losses without drift`, () => {
      // Page–Hinkley: e^(−2 · 0.05 · 10 / 0.043) = 8 · 10^−11 for each of some thousand ways up. ADWIN: see above.
      const random = createRandom(51);
      const scale = new LossScale();
      const alarms = changesIn(createDriftDetector(name), 20_000, () => {
        return scale.valueOf(0.4 + 0.15 * gaussian(random)) ?? 0.5;
      });
      assert.deepEqual(alarms, []);
    });

    it(`${name} sees losses rise by two deviations within 100, and go down again`, () => {
      // By two deviations the value goes from 0.5 to 0.85 (Δ ≈ 0.33): after 10 / 0.28 ≈ 36 values.
      const random = createRandom(52);
      const scale = new LossScale();
      const detector = createDriftDetector(name);
      const lossAround = (mean: number) => scale.valueOf(mean + 0.15 * gaussian(random)) ?? 0.5;
      for (let i = 0; i < 1_000; i++) assert.equal(detector.add(lossAround(0.4)), 'none');
      const risen = detectionIn(detector, 1_000, () => lossAround(0.7));
      assert.equal(risen.change, 'rise');
      assert.ok(risen.delay < 100, `${risen.delay} values`);
      const changes = changesIn(detector, 200, () => lossAround(0.7)).filter((each) => each === 'fall');
      assert.deepEqual(changes, []);
      const fallen = detectionIn(detector, 1_000, () => lossAround(0.3));
      assert.equal(fallen.change, 'fall');
      assert.ok(fallen.delay < 100, `${fallen.delay} values`);
    });

    it(`${name} goes on from its state, as JSON, as if nothing had been`, () => {
      const random = createRandom(seed ^ 53);
      const detector = createDriftDetector(name);
      let resumed = restoreDriftDetector(JSON.parse(JSON.stringify(detector.state())));
      let changes = 0;
      for (let i = 0; i < 3_000; i++) {
        const value = bernoulli(i % 1_000 < 500 ? 0.1 : 0.9, random);
        const change = detector.add(value);
        assert.equal(resumed.add(value), change);
        if (change !== 'none') changes++;
        if (i % 61 === 0) resumed = restoreDriftDetector(JSON.parse(JSON.stringify(resumed.state())));
      }
      assert.ok(changes >= 4, `${changes} changes: too few to compare`);
      assert.deepEqual(resumed.state(), detector.state());
    });
  }
});
