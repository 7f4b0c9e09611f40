/** What each strategy trains on, what its option says, and the laws of all plans. */
import { strict as assert } from 'node:assert';
import { describe, it } from 'node:test';
import { createRandom, type Random, restoreRandom } from '@freshet/trainer/core/random';
import { restoreSampler } from '@freshet/trainer/core/samplers/create-sampler';
import type { HistorySampler } from '@freshet/trainer/core/samplers/history-sampler';
import { createStrategy, defaultTrigger } from '@freshet/trainer/core/strategies/create-strategy';
import type { PlannedBatch, Strategy } from '@freshet/trainer/core/strategies/strategy';
import { parseStrategy } from '@freshet/trainer/core/strategies/strategy-option';
import fc from 'fast-check';
import { anySpec, filledSampler } from '../support/sampler-runs.ts';
import { seed } from '../support/seed.ts';

const OPTIONS = { batchCount: 16, freshCount: 4 };

const strategyOf = (text: string, options = OPTIONS): Strategy =>
  createStrategy(parseStrategy(text), options);
const history = (count: number): HistorySampler => filledSampler({ kind: 'uniform', limit: null }, count);
const freshAfter = (historyCount: number, count: number): Uint32Array =>
  Uint32Array.from({ length: count }, (_, i) => historyCount + i);

/** Carries a plan out as a learner does, and gives its batches. */
function carryOut(
  strategy: Strategy,
  fresh: Uint32Array,
  sampler: HistorySampler,
  random: Random,
): PlannedBatch[] {
  const batches: PlannedBatch[] = [];
  let added = 0;
  for (const batch of strategy.plan(fresh, sampler, random)) {
    batches.push(batch);
    for (const arrival of batch.arrivals.subarray(0, batch.freshCount)) {
      sampler.add(arrival, arrival % 3, random);
      added++;
    }
  }
  for (const arrival of fresh.subarray(added)) sampler.add(arrival, arrival % 3, random);
  return batches;
}

describe('proactive', () => {
  it('takes t fresh ones and b − t of history, until the fresh ones are used up', () => {
    const sampler = history(100);
    const batches = carryOut(strategyOf('proactive'), freshAfter(100, 10), sampler, createRandom(seed));
    assert.deepEqual(
      batches.map(({ arrivals, freshCount }) => [arrivals.length, freshCount]),
      [
        [16, 4],
        [16, 4],
        [16, 2],
      ],
    );
    assert.equal(sampler.size, 110);
  });

  it('draws what it has just trained on as well, once it is history', () => {
    // With a history of nothing, the second batch can only be filled up with the first one's samples.
    const batches = carryOut(strategyOf('proactive'), freshAfter(0, 8), history(0), createRandom(seed));
    assert.deepEqual([...batches[0]!.arrivals], [0, 1, 2, 3]);
    assert.deepEqual([...batches[1]!.arrivals.slice(0, 4)], [4, 5, 6, 7]);
    assert.deepEqual([...batches[1]!.arrivals.slice(4)].sort(), [0, 1, 2, 3]);
  });

  it('is online learning for t = b', () => {
    const strategy = strategyOf('proactive', { batchCount: 16, freshCount: 16 });
    const batches = carryOut(strategy, freshAfter(50, 40), history(50), createRandom(seed));
    assert.deepEqual(
      batches.map(({ freshCount }) => freshCount),
      [16, 16, 8],
    );
    assert.deepEqual([...batches[1]!.arrivals], [...freshAfter(66, 16)]);
  });
});

describe('online', () => {
  it('trains on each fresh sample once, and on nothing else', () => {
    const batches = carryOut(strategyOf('online'), freshAfter(50, 40), history(50), createRandom(seed));
    assert.deepEqual(
      batches.map(({ freshCount }) => freshCount),
      [16, 16, 8],
    );
    assert.deepEqual(
      batches.flatMap(({ arrivals }) => [...arrivals]),
      [...freshAfter(50, 40)],
    );
  });
});

describe('frozen', () => {
  it('trains on nothing', () => {
    const sampler = history(5);
    assert.deepEqual(carryOut(strategyOf('frozen'), freshAfter(5, 40), sampler, createRandom(seed)), []);
    assert.equal(sampler.size, 45);
  });
});

describe('full retraining', () => {
  for (const from of ['scratch', 'warm']) {
    it(`${from}: goes over everything in every pass, in a new order each time`, () => {
      const strategy = strategyOf(`full-retrain:${from}:3`);
      const batches = carryOut(strategy, freshAfter(50, 20), history(50), createRandom(seed));
      // 70 samples: four batches of 16 and one of 6.
      assert.deepEqual(
        batches.map(({ arrivals }) => arrivals.length),
        [16, 16, 16, 16, 6, 16, 16, 16, 16, 6, 16, 16, 16, 16, 6],
      );
      const passes = [0, 5, 10].map((start) => {
        return batches.slice(start, start + 5).flatMap(({ arrivals }) => [...arrivals]);
      });
      for (const pass of passes)
        assert.deepEqual(
          pass.toSorted((a, b) => a - b),
          [...freshAfter(0, 70)],
        );
      assert.notDeepEqual(passes[0], passes[1]);
      assert.notDeepEqual(passes[1], passes[2]);
      assert.ok(batches.every(({ freshCount }) => freshCount === 0));
    });
  }

  it('goes over what a bounded history has kept', () => {
    const sampler = filledSampler({ kind: 'window', count: 10 }, 50);
    const batches = carryOut(
      strategyOf('full-retrain:warm:1'),
      freshAfter(50, 2),
      sampler,
      createRandom(seed),
    );
    assert.deepEqual(
      batches.flatMap(({ arrivals }) => [...arrivals]).sort((a, b) => a - b),
      [...freshAfter(40, 12)],
    );
  });

  it('plans nothing where there is nothing', () => {
    assert.deepEqual(
      [...strategyOf('full-retrain:warm:2').plan(new Uint32Array(0), history(0), createRandom(1))],
      [],
    );
  });

  it('starts anew only from scratch, and publishes only what is trained to the end then', () => {
    const traits = (text: string) => {
      const { restart, publishes, tests } = strategyOf(text);
      return [restart, publishes, tests];
    };
    assert.deepEqual(traits('full-retrain:scratch'), ['scratch', 'after-plan', 'apart']);
    assert.deepEqual(traits('full-retrain:warm'), ['never', 'any-time', 'apart']);
    assert.deepEqual(traits('proactive'), ['never', 'any-time', 'in-batches']);
    assert.deepEqual(traits('online'), ['never', 'any-time', 'in-batches']);
    assert.deepEqual(traits('frozen'), ['never', 'any-time', 'apart']);
  });
});

describe('all plans', () => {
  const anyStrategy = fc.constantFrom(
    'proactive',
    'online',
    'frozen',
    'full-retrain:scratch:2',
    'full-retrain:warm:1',
  );
  const anyScene = [anyStrategy, anySpec, fc.nat(60), fc.nat(30), fc.nat()] as const;

  it('have batches of different samples that are fresh or history, no larger than asked for', () => {
    fc.assert(
      fc.property(...anyScene, (text, spec, historyCount, freshCount, seed) => {
        const sampler = filledSampler(spec, historyCount, createRandom(seed));
        const known = new Set([...sampler.all(), ...freshAfter(historyCount, freshCount)]);
        const fresh = freshAfter(historyCount, freshCount);
        const tested: number[] = [];
        for (const batch of carryOut(strategyOf(text), fresh, sampler, createRandom(seed))) {
          assert.ok(batch.arrivals.length >= 1 && batch.arrivals.length <= OPTIONS.batchCount);
          assert.equal(new Set(batch.arrivals).size, batch.arrivals.length);
          assert.ok(batch.arrivals.every((arrival) => known.has(arrival)));
          tested.push(...batch.arrivals.subarray(0, batch.freshCount));
        }
        const expected = strategyOf(text).tests === 'in-batches' ? [...fresh] : [];
        assert.deepEqual(tested, expected, 'each fresh sample is tested once, in order');
      }),
    );
  });

  it('come out the same again from the same states', () => {
    fc.assert(
      fc.property(...anyScene, (text, spec, historyCount, freshCount, seed) => {
        const random = createRandom(seed);
        const sampler = filledSampler(spec, historyCount, random);
        const fresh = freshAfter(historyCount, freshCount);
        const [otherSampler, otherRandom] = [restoreSampler(sampler.state()), restoreRandom(random.state())];
        const batches = carryOut(strategyOf(text), fresh, sampler, random);
        assert.deepEqual(carryOut(strategyOf(text), fresh, otherSampler, otherRandom), batches);
        assert.deepEqual(otherSampler.state(), sampler.state());
        assert.deepEqual(otherRandom.state(), random.state());
      }),
    );
  });

  it('have batches that are the caller’s: to change one changes no other', () => {
    for (const text of ['proactive', 'online', 'full-retrain:warm:2']) {
      const fresh = freshAfter(20, 30);
      const plan = () => strategyOf(text).plan(fresh, history(20), createRandom(5));
      const expected = Array.from(plan(), ({ arrivals }) => [...arrivals]);
      const seen: number[][] = [];
      for (const { arrivals } of plan()) {
        seen.push([...arrivals]);
        arrivals.fill(0);
      }
      assert.deepEqual(seen, expected);
      assert.deepEqual(fresh, freshAfter(20, 30));
    }
  });
});

describe('parseStrategy', () => {
  it('reads every kind', () => {
    for (const kind of ['proactive', 'online', 'frozen'] as const)
      assert.deepEqual(parseStrategy(kind), { kind });
    assert.deepEqual(parseStrategy('full-retrain:warm'), { kind: 'full-retrain', from: 'warm', epochs: 10 });
    assert.deepEqual(parseStrategy('full-retrain:scratch:25'), {
      kind: 'full-retrain',
      from: 'scratch',
      epochs: 25,
    });
  });

  it('knows the trigger of each in the paper', () => {
    const triggerFor = (text: string) => defaultTrigger(parseStrategy(text), OPTIONS);
    assert.deepEqual(triggerFor('proactive'), { kind: 'samples', count: 4 });
    assert.deepEqual(triggerFor('online'), { kind: 'samples', count: 16 });
    assert.deepEqual(triggerFor('frozen'), { kind: 'samples', count: 16 });
    assert.deepEqual(triggerFor('full-retrain:warm'), { kind: 'samples', count: 10_000 });
  });

  const refused: readonly [string, RegExp][] = [
    ['pro-active', /there is no strategy "pro-active"/],
    ['online:8', /":8" is too much/],
    ['full-retrain', /something is missing behind "full-retrain"/],
    ['full-retrain:cold', /"cold" is neither scratch nor warm/],
    ['full-retrain:warm:0', /EPOCHS must be a whole number from 1 to 10000/],
    ['full-retrain:warm:2:3', /":3" is too much/],
  ];
  for (const [text, problem] of refused) {
    it(`refuses "${text}", saying why and what to write`, () => {
      assert.throws(
        () => parseStrategy(text),
        (error: Error) => {
          assert.ok(error.message.startsWith(`--strategy ${text}: `));
          assert.match(error.message, problem);
          assert.match(error.message, /Write proactive, online, frozen, .* or full-retrain:warm:EPOCHS$/);
          return 'code' in error && error.code === 'CONFIG_INVALID';
        },
      );
    });
  }
});
