/** The composition of a proactive batch: its parts, its bounds, and that the draw from history is uniform. */
import { strict as assert } from 'node:assert';
import { describe, it } from 'node:test';
import { createRandom, restoreRandom, shuffle } from '@freshet/trainer/core/random';
import { selectBatch } from '@freshet/trainer/core/select-batch';
import fc from 'fast-check';
import '../support/seed.ts';

const composition = fc
  .record({ historyCount: fc.nat(400), freshCount: fc.nat(40), drawnMax: fc.nat(200) })
  .map(({ historyCount, freshCount, drawnMax }) => ({
    historyCount,
    freshCount,
    batchCount: freshCount + drawnMax,
  }));

const seedOf = fc.integer({ min: 0, max: 2 ** 31 - 1 });

/** Σ (observed − expected)² / expected over equally likely cells. */
function chiSquare(observed: Uint32Array): number {
  const expected = observed.reduce((sum, count) => sum + count, 0) / observed.length;
  return observed.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
}

describe('selectBatch', () => {
  it('takes all fresh samples first, then distinct ones of history, as many as fit or there are', () => {
    fc.assert(
      fc.property(composition, seedOf, (shape, seed) => {
        const { historyCount, freshCount, batchCount } = shape;
        const batch = selectBatch(shape, createRandom(seed));
        const fresh = Array.from({ length: freshCount }, (_, i) => historyCount + i);
        assert.deepEqual([...batch.subarray(0, freshCount)], fresh);
        const drawn = batch.subarray(freshCount);
        assert.equal(drawn.length, Math.min(batchCount - freshCount, historyCount));
        assert.equal(new Set(drawn).size, drawn.length);
        assert.ok(drawn.every((index) => index < historyCount));
      }),
    );
  });

  it('gives the same batch for the same random state, and goes on to another one', () => {
    fc.assert(
      fc.property(seedOf, (seed) => {
        const shape = { historyCount: 10_000, freshCount: 8, batchCount: 128 };
        const random = createRandom(seed);
        const resumed = restoreRandom(random.state());
        const first = selectBatch(shape, random);
        assert.deepEqual(selectBatch(shape, resumed), first);
        const second = selectBatch(shape, random);
        assert.notDeepEqual(second, first);
        assert.deepEqual(selectBatch(shape, resumed), second);
      }),
      { numRuns: 30 },
    );
  });

  it('draws every sample of history equally often', () => {
    // 120 of 200, 2,000 times: each is expected 1,200 times. The counts of one draw exclude each other, which makes
    // χ² smaller than for independent ones by (200 − 120)/199: so the 99.9 % bound for 199 degrees of freedom, 266, is
    // one that a uniform draw stays under with room, and one that leaves out or favours a sample by 10 % does not
    // (0.1² · 1200 · 200 = 2,400).
    const counts = new Uint32Array(200);
    const random = createRandom(7);
    for (let draw = 0; draw < 2_000; draw++) {
      const batch = selectBatch({ historyCount: 200, freshCount: 8, batchCount: 128 }, random);
      for (const index of batch.subarray(8)) counts[index]! += 1;
    }
    const value = chiSquare(counts);
    assert.ok(value < 266, `χ² = ${value}`);
    assert.ok(value > 20, `χ² = ${value}: more even than chance`);
  });

  it('draws every pair of history equally often', () => {
    // 2 of 6: 15 sets, 15,000 draws. 99.9 % bound for 14 degrees of freedom: 36.1.
    const counts = new Uint32Array(36);
    const random = createRandom(11);
    for (let draw = 0; draw < 15_000; draw++) {
      const [a, b] = selectBatch({ historyCount: 6, freshCount: 0, batchCount: 2 }, random);
      counts[Math.min(a!, b!) * 6 + Math.max(a!, b!)]! += 1;
    }
    const sets = counts.filter((_, cell) => Math.floor(cell / 6) < cell % 6);
    assert.equal(sets.length, 15);
    const value = chiSquare(sets);
    assert.ok(value < 36.1, `χ² = ${value}`);
  });
});

describe('random', () => {
  it('shuffles into every order equally often', () => {
    // 4 items: 24 orders, 24,000 shuffles. 99.9 % bound for 23 degrees of freedom: 49.7.
    const counts = new Map<string, number>();
    const random = createRandom(3);
    for (let round = 0; round < 24_000; round++) {
      const items = Uint32Array.of(0, 1, 2, 3);
      shuffle(items, random);
      const order = items.join('');
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    assert.equal(counts.size, 24);
    const value = chiSquare(Uint32Array.from(counts.values()));
    assert.ok(value < 49.7, `χ² = ${value}`);
  });

  it('keeps the items it shuffles', () => {
    fc.assert(
      fc.property(fc.array(fc.nat()), seedOf, (values, seed) => {
        const items = Uint32Array.from(values);
        shuffle(items, createRandom(seed));
        assert.deepEqual(items.toSorted(), Uint32Array.from(values).toSorted());
      }),
    );
  });

  it('gives neighbouring seeds unrelated first draws', () => {
    // 10,000 seeds, the first draw of each in one of 16 cells. 99.9 % bound for 15 degrees of freedom: 37.7.
    const counts = new Uint32Array(16);
    for (let seed = 0; seed < 10_000; seed++) counts[createRandom(seed).integerBelow(16)]! += 1;
    const value = chiSquare(counts);
    assert.ok(value < 37.7, `χ² = ${value}`);
    assert.ok(value > 1, `χ² = ${value}: more even than chance`);
  });

  it('survives a checkpoint as JSON', () => {
    const random = createRandom(5);
    random.integerBelow(100);
    const resumed = restoreRandom(JSON.parse(JSON.stringify(random.state())));
    for (let i = 0; i < 100; i++) assert.equal(resumed.integerBelow(1_000), random.integerBelow(1_000));
  });
});
