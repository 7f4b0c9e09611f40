/**
 * That each history sampler draws from the distribution that it states (Pearson's χ² on draws from the run's seed, see
 * test/support/chi-square.ts for the chance of a false alarm), keeps what its algorithm keeps, and stays fast and small.
 */
import { strict as assert } from 'node:assert';
import { describe, it } from 'node:test';
import { createRandom, type Random } from '@freshet/trainer/core/random';
import { createSampler, restoreSampler } from '@freshet/trainer/core/samplers/create-sampler';
import { parseSampler } from '@freshet/trainer/core/samplers/sampler-option';
import { assertDistributed, assertUniform } from '../support/chi-square.ts';
import { filledSampler } from '../support/sampler-runs.ts';
import { seed } from '../support/seed.ts';

/** How often each of `cellCount` numbers comes up in what `draw` returns, over so many draws. */
function tally(cellCount: number, draws: number, draw: () => Iterable<number>): number[] {
  const counts = new Array<number>(cellCount).fill(0);
  for (let i = 0; i < draws; i++) for (const cell of draw()) counts[cell]! += 1;
  return counts;
}

/** The number of a set of small integers: bit i is set for i. */
const setNumber = (members: Iterable<number>): number => [...members].reduce((sum, i) => sum | (1 << i), 0);

/** All sets of `size` integers below `bound`, as numbers. */
function setNumbers(bound: number, size: number): number[] {
  const bitCount = (set: number) => set.toString(2).replaceAll('0', '').length;
  return Array.from({ length: 1 << bound }, (_, set) => set).filter((set) => bitCount(set) === size);
}

/** The chance of each set, when its members are drawn one by one in proportion to weight among those left. */
function successiveChance(set: number, weights: readonly number[], total = sum(weights)): number {
  if (set === 0) return 1;
  return weights.reduce((chance, weight, i) => {
    if ((set & (1 << i)) === 0) return chance;
    return chance + (weight / total) * successiveChance(set & ~(1 << i), weights, total - weight);
  }, 0);
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

describe('uniform sampler', () => {
  it('draws every sample equally often', () => {
    const random = createRandom(seed ^ 1);
    const sampler = filledSampler(parseSampler('uniform'), 200);
    assertUniform(tally(200, 2_000, () => sampler.draw(120, random)));
  });

  it('draws every set equally often', () => {
    const random = createRandom(seed ^ 2);
    const sampler = filledSampler(parseSampler('uniform'), 6);
    const counts = tally(64, 20_000, () => [setNumber(sampler.draw(3, random))]);
    assertUniform(setNumbers(6, 3).map((set) => counts[set]!));
  });

  it('draws as often from both sides of gaps between arrivals', () => {
    const random = createRandom(seed ^ 3);
    const sampler = createSampler(parseSampler('uniform:30'));
    const arrivals = Array.from({ length: 40 }, (_, i) => i * 3 + (i % 2));
    for (const arrival of arrivals) sampler.add(arrival, null, random);
    const kept = arrivals.slice(10);
    assert.deepEqual([...sampler.all()], kept);
    assertUniform(tally(30, 3_000, () => Array.from(sampler.draw(10, random), (each) => kept.indexOf(each))));
  });

  it('keeps the newest up to its limit and gives back the oldest', () => {
    const random = createRandom(1);
    const sampler = filledSampler(parseSampler('uniform:3'), 3);
    assert.deepEqual(sampler.add(3, null, random), [0]);
    assert.deepEqual(sampler.add(9, null, random), [1]);
    assert.deepEqual([...sampler.all()], [2, 3, 9]);
    assert.deepEqual(sampler.state(), {
      kind: 'uniform',
      limit: 3,
      runs: [
        { first: 2, count: 2 },
        { first: 9, count: 1 },
      ],
    });
  });

  it('stays quick where every arrival stands alone', () => {
    const random = createRandom(1);
    const sampler = createSampler(parseSampler('uniform:5000'));
    for (let i = 0; i < 100_000; i++) sampler.add(i * 2, null, random);
    assert.equal(sampler.size, 5_000);
    assert.equal(sampler.all()[0], 190_000);
    assert.equal(sampler.all().at(-1), 199_998);
  });

  it('asserts that arrivals ascend', () => {
    const sampler = filledSampler(parseSampler('uniform'), 3);
    assert.throws(() => sampler.add(2, null, createRandom(1)), /arrivals ascend/);
  });
});

describe('window sampler', () => {
  it('draws every sample of the window equally often, and none before it', () => {
    const random = createRandom(seed ^ 4);
    const sampler = filledSampler(parseSampler('window:50'), 1_000);
    const counts = tally(1_000, 4_000, () => sampler.draw(20, random));
    assert.ok(counts.slice(0, 950).every((count) => count === 0));
    assertUniform(counts.slice(950));
  });
});

describe('time-decayed sampler', () => {
  it('draws one sample with a chance that halves every half-life', () => {
    const random = createRandom(seed ^ 5);
    const sampler = filledSampler(parseSampler('time-decayed:10'), 60);
    const counts = tally(60, 60_000, () => sampler.draw(1, random));
    assertDistributed(
      counts,
      counts.map((_, arrival) => 2 ** (-(59 - arrival) / 10)),
    );
  });

  for (const halfLife of [1, 2, 5, 1_000]) {
    it(`draws sets in proportion to weight among those left, half-life ${halfLife}`, () => {
      const random = createRandom(seed ^ (6 + halfLife));
      const sampler = filledSampler({ kind: 'time-decayed', halfLife, limit: null }, 6);
      const weights = [0, 1, 2, 3, 4, 5].map((arrival) => 2 ** (-(5 - arrival) / halfLife));
      const counts = tally(64, 120_000, () => [setNumber(sampler.draw(3, random))]);
      const sets = setNumbers(6, 3);
      const chances = sets.map((set) => successiveChance(set, weights));
      assert.ok(Math.abs(sum(chances) - 1) < 1e-12, 'the chances are those of all sets');
      assertDistributed(
        sets.map((set) => counts[set]!),
        chances,
      );
    });
  }

  it('draws alike whether samples have been dropped or were never there', () => {
    const dropped = filledSampler(parseSampler('time-decayed:30'), 100);
    dropped.dropBelow(40);
    const random = createRandom(seed ^ 7);
    const weights = Array.from({ length: 60 }, (_, i) => 2 ** (i / 30));
    assertDistributed(tally(100, 30_000, () => dropped.draw(1, random)).slice(40), weights);
  });

  it('needs few attempts however short the half-life', () => {
    // 120 of 100,000 at a half-life of 1: drawing from all ages anew each time would need 2^119 attempts for the last.
    for (const halfLife of [1, 10, 60, 120, 1_000, 100_000]) {
      const sampler = filledSampler({ kind: 'time-decayed', halfLife, limit: null }, 100_000);
      const random = counting(createRandom(seed ^ halfLife));
      for (let i = 0; i < 50; i++) sampler.draw(120, random);
      const attempts = random.draws() / 2 / 50;
      assert.ok(attempts < 120 * 4, `${attempts} attempts at a half-life of ${halfLife}`);
    }
  });
});

function counting(random: Random): Random & { draws(): number } {
  let count = 0;
  return {
    integerBelow(bound) {
      count++;
      return random.integerBelow(bound);
    },
    state: () => random.state(),
    draws: () => count,
  };
}

describe('reservoir sampler', () => {
  it('keeps every set of samples equally often', () => {
    const random = createRandom(seed ^ 8);
    const counts = tally(64, 20_000, () => {
      return [setNumber(filledSampler(parseSampler('reservoir:3'), 6, random).all())];
    });
    assertUniform(setNumbers(6, 3).map((set) => counts[set]!));
  });

  it('keeps every sample of a long stream equally often', () => {
    const random = createRandom(seed ^ 9);
    assertUniform(tally(500, 2_000, () => filledSampler(parseSampler('reservoir:50'), 500, random).all()));
  });

  it('draws every sample that it keeps equally often', () => {
    const random = createRandom(seed ^ 10);
    const sampler = filledSampler(parseSampler('reservoir:40'), 1_000, random);
    const kept = [...sampler.all()];
    assertUniform(tally(40, 3_000, () => Array.from(sampler.draw(10, random), (each) => kept.indexOf(each))));
  });
});

describe('class-balanced sampler', () => {
  /** How many samples of each class are kept. */
  function balance(labels: readonly number[], kept: Iterable<number>): number[] {
    const counts = new Array<number>(Math.max(...labels) + 1).fill(0);
    for (const arrival of kept) counts[labels[arrival]!]! += 1;
    return counts;
  }

  function filled(count: number, labels: readonly number[], random: Random) {
    const spec = { kind: 'class-balanced' as const, count };
    return filledSampler(spec, labels.length, random, (arrival) => labels[arrival]!);
  }

  it('takes from the largest class for one that is not full (worked by hand)', () => {
    // N = 3. After a a a the places are taken, a is full. b takes the place of an a; then a: 2, b: 1.
    const random = createRandom(seed ^ 11);
    const sampler = filled(3, [0, 0, 0], random);
    assert.deepEqual(fullness(sampler.state()), [[0, 3, 3, true]]);
    const left = sampler.add(3, 1, random);
    assert.equal(left.length, 1);
    assert.ok(left[0]! < 3);
    assert.deepEqual(fullness(sampler.state()), [
      [0, 3, 2, true],
      [1, 1, 1, false],
    ]);
    // c takes the second place from a: all have one now, and all are full.
    sampler.add(4, 2, random);
    assert.deepEqual(fullness(sampler.state()), [
      [0, 3, 1, true],
      [1, 1, 1, true],
      [2, 1, 1, true],
    ]);
  });

  function fullness(state: ReturnType<ReturnType<typeof createSampler>['state']>) {
    assert.equal(state.kind, 'class-balanced');
    return state.classes.map(({ label, seen, kept, isFull }) => [label, seen, kept.length, isFull]);
  }

  it('counts no class as full before all places are taken', () => {
    // Before the fourth sample each class has been the largest; the only full ones are those that are so then.
    const sampler = filled(4, [0, 1, 1, 1], createRandom(1));
    assert.deepEqual(fullness(sampler.state()), [
      [0, 1, 1, false],
      [1, 3, 3, true],
    ]);
  });

  it('takes from all of the largest classes alike', () => {
    const random = createRandom(seed ^ 17);
    const left = () => {
      const sampler = filled(6, [0, 1, 2, 0, 1, 2], random);
      return sampler.add(6, 3, random);
    };
    assertUniform(tally(6, 6_000, left));
  });

  it('balances classes that arrive one after the other, and of very different frequencies', () => {
    const random = createRandom(seed ^ 12);
    const oneAfterTheOther = [0, 1, 2, 3, 4].flatMap((label) => new Array<number>(1_000).fill(label));
    assert.deepEqual(
      balance(oneAfterTheOther, filled(100, oneAfterTheOther, random).all()),
      [20, 20, 20, 20, 20],
    );
    // Class 4 has 8 samples, class 3 has 15, the others more than their share of the 77 places left.
    const frequencies = [5_000, 500, 100, 15, 8];
    const labels = frequencies.flatMap((count, label) => new Array<number>(count).fill(label));
    const order = Uint32Array.from(labels.keys());
    for (let last = order.length - 1; last > 0; last--) {
      const other = random.integerBelow(last + 1);
      [order[last], order[other]] = [order[other]!, order[last]!];
    }
    const mixed = Array.from(order, (i) => labels[i]!);
    const counts = balance(mixed, filled(100, mixed, random).all());
    assert.deepEqual(counts.slice(3), [15, 8], 'small classes are kept whole');
    assert.equal(sum(counts), 100);
    for (const count of counts.slice(0, 3)) assert.ok(count >= 25 && count <= 27, `${counts}`);
  });

  it('keeps every sample of a class equally often', () => {
    // Frequencies 6 : 3 : 1 in a fixed order, 30 places: ten for each class at the end.
    const random = createRandom(seed ^ 13);
    const labels = Array.from({ length: 300 }, (_, i) => [0, 1, 0, 0, 1, 0, 2, 0, 1, 0][i % 10]!);
    const counts = tally(300, 6_000, () => filled(30, labels, random).all());
    for (const label of [0, 1, 2]) assertUniform(counts.filter((_, arrival) => labels[arrival] === label));
  });

  it('draws every sample that it keeps equally often', () => {
    const random = createRandom(seed ^ 14);
    const labels = Array.from({ length: 900 }, (_, i) => (i % 7 === 0 ? 1 : i % 30 === 1 ? 2 : 0));
    const sampler = filled(60, labels, random);
    const kept = [...sampler.all()];
    assertUniform(tally(60, 4_000, () => Array.from(sampler.draw(12, random), (each) => kept.indexOf(each))));
  });

  it('keeps samples without a class as one more class', () => {
    const random = createRandom(seed ^ 15);
    const spec = parseSampler('class-balanced:20');
    const sampler = filledSampler(spec, 1_000, random, (arrival) => (arrival < 900 ? null : 7));
    const unlabelled = sampler.all().filter((arrival) => arrival < 900);
    assert.equal(unlabelled.length, 10);
  });
});

describe('a million samples', () => {
  const COUNT = 1_000_000;
  const kinds = [
    'uniform',
    'window:900000',
    'time-decayed:1',
    'time-decayed:120',
    'time-decayed:100000',
    'reservoir:2000',
    'class-balanced:2000',
  ];
  for (const kind of kinds) {
    it(`${kind}: 120 are drawn in well under a millisecond, and the state is small`, () => {
      const random = createRandom(seed ^ 16);
      const sampler = filledSampler(parseSampler(kind), COUNT, random, (arrival) => arrival % 100);
      const timesMs = Array.from({ length: 300 }, () => {
        const start = performance.now();
        sampler.draw(120, random);
        return performance.now() - start;
      }).sort((a, b) => a - b);
      const medianMs = timesMs[150]!;
      assert.ok(medianMs < 0.5, `${medianMs} ms`);
      // Eight digits and a comma for each that a reservoir keeps, 80 bytes for each class.
      const stateBytes = JSON.stringify(sampler.state()).length;
      assert.ok(stateBytes < 30_000, `${stateBytes} bytes`);
      assert.equal(restoreSampler(sampler.state()).size, sampler.size);
    });
  }
});
