/** Rounds on the stream: what is trained on, what counts as a test, and that a round repeats itself. */
import { strict as assert } from 'node:assert';
import { before, describe, it, type TestContext } from 'node:test';
import { NO_WARM_UP } from '@freshet/trainer/core/learning-rate';
import { createRandom } from '@freshet/trainer/core/random';
import { createSampler, restoreSampler } from '@freshet/trainer/core/samplers/create-sampler';
import { parseSampler } from '@freshet/trainer/core/samplers/sampler-option';
import { createStrategy, defaultTrigger } from '@freshet/trainer/core/strategies/create-strategy';
import { parseStrategy } from '@freshet/trainer/core/strategies/strategy-option';
import { createTrigger, restoreTrigger } from '@freshet/trainer/core/triggers/create-trigger';
import type { Trigger } from '@freshet/trainer/core/triggers/trigger';
import { parseTrigger } from '@freshet/trainer/core/triggers/trigger-option';
import { selectBackend } from '@freshet/trainer/learn/backends/select-backend';
import { MemoryStock } from '@freshet/trainer/learn/stream/memory-stock';
import { type StreamParts, StreamTraining, streamStart } from '@freshet/trainer/learn/stream/stream-training';
import { TrainStep } from '@freshet/trainer/learn/train-step';
import { samplesOf, smallRecipe } from '../support/small-recipe.ts';
import { assertSameBits } from '../support/weights.ts';

const OPTIONS = { batchCount: 6, freshCount: 4 };
const HISTORY_COUNT = 20;

before(() => selectBackend('wasm'));

interface Watched {
  readonly stream: StreamTraining;
  readonly trainStep: TrainStep;
  readonly parts: StreamParts;
  /** Arrivals of each batch that was read. */
  readonly batches: number[][];
}

interface Choice {
  readonly strategy?: string;
  readonly trigger?: string;
  readonly sampler?: string;
  /** Samples there are. */
  readonly count?: number;
  /** Arrivals that preprocessing cannot take. */
  readonly unusable?: readonly number[];
}

function open(t: TestContext, choice: Choice = {}): Watched {
  const spec = parseStrategy(choice.strategy ?? 'proactive');
  const trainStep = new TrainStep(smallRecipe, { seed: 1 });
  t.after(() => trainStep.dispose());
  const train = samplesOf(smallRecipe).train;
  const stock = new MemoryStock({ ...train, count: choice.count ?? train.count }, smallRecipe, 250);
  const batches: number[][] = [];
  const sampler = createSampler(parseSampler(choice.sampler ?? 'uniform'));
  for (let arrival = 0; arrival < HISTORY_COUNT; arrival++) sampler.add(arrival, 0, createRandom(1));
  const trigger = choice.trigger === undefined ? defaultTrigger(spec, OPTIONS) : parseTrigger(choice.trigger);
  const parts: StreamParts = {
    trainStep,
    stock: {
      available: (position, wanted) => stock.available(position, wanted),
      usable: (arrivals) => arrivals.filter((arrival) => !(choice.unusable ?? []).includes(arrival)),
      batch(arrivals) {
        batches.push([...arrivals]);
        return stock.batch(arrivals);
      },
      history: (position) => stock.history(position),
      labels: (arrivals) => stock.labels(arrivals),
      isRepeated: () => false,
      roundEnd: () => null,
      takeRound: () => undefined,
    },
    strategy: createStrategy(spec, OPTIONS),
    trigger: createTrigger(trigger, 0),
    sampler,
    schedule: { fullRate: 1e-3, warmUp: NO_WARM_UP },
    groupCount: OPTIONS.freshCount,
    waitingMax: trigger.kind === 'time' ? OPTIONS.batchCount : Number.POSITIVE_INFINITY,
  };
  const stream = new StreamTraining(parts, streamStart(1, HISTORY_COUNT, createRandom(5)));
  return { stream, trainStep, parts, batches };
}

/** Wants 12 samples, and once it has seen so many losses, which are those of four samples each, 4. It keeps them. */
function alertAfter(lossCount: number): Trigger & { readonly losses: readonly number[] } {
  const losses: number[] = [];
  const wanted = () => (losses.length < lossCount ? 12 : 4);
  return {
    observes: true,
    losses,
    due: (freshCount) => (freshCount >= wanted() ? wanted() : 0),
    took: () => undefined,
    observe: (loss) => void losses.push(loss),
    state: () => ({ kind: 'samples', count: 12 }),
  };
}

/** Runs the next round; false when there was none. */
async function round({ stream }: Watched, nowMs = 0): Promise<boolean> {
  if (!(await stream.begin(nowMs))) return false;
  while (stream.isUnderWay) await stream.step();
  return true;
}

describe('a round', () => {
  it('of proactive training takes the fresh samples in their order, and the rest from history', async (t) => {
    const watched = open(t);
    await round(watched);
    await round(watched);
    const [first, second] = watched.batches;
    assert.deepEqual(first!.slice(0, 4), [20, 21, 22, 23]);
    assert.deepEqual(second!.slice(0, 4), [24, 25, 26, 27]);
    assert.ok(first!.slice(4).every((arrival) => arrival < 20));
    assert.ok(second!.slice(4).every((arrival) => arrival < 24));
    assert.equal(watched.stream.note().step, 2);
    assert.equal(watched.stream.note().samplesSeen, 28);
    assert.equal(watched.stream.state().prequential.seen, 8);
  });

  it('passes over what cannot be used, and never asks for it again', async (t) => {
    for (const choice of [{}, { strategy: 'frozen' }, { trigger: 'drift:adwin:8:4' }]) {
      const watched = open(t, { ...choice, unusable: [21, 23, 24, 25, 26, 27] });
      await round(watched);
      await round(watched);
      const asked = watched.batches.flat();
      assert.ok(asked.includes(20) && asked.includes(22));
      assert.ok(![21, 23, 24, 25, 26, 27].some((arrival) => asked.includes(arrival)));
      const gone = watched.stream.takeGone();
      assert.ok([21, 23, 24, 25].every((arrival) => gone.filter((each) => each === arrival).length === 1));
      assert.ok(watched.stream.note().samplesSeen >= 28);
    }
  });

  it('is not begun while too few samples are there', async (t) => {
    const watched = open(t, { count: 27 });
    assert.equal(await round(watched), true);
    assert.equal(await round(watched), false);
    assert.equal(watched.batches.length, 1);
  });

  it('of a frozen model tests and does not train', async (t) => {
    const watched = open(t, { strategy: 'frozen' });
    const before = await watched.trainStep.readWeights();
    await round(watched);
    assert.deepEqual(watched.batches, [[20, 21, 22, 23, 24, 25]]);
    assert.equal(watched.stream.state().prequential.seen, 6);
    assert.equal(watched.stream.note().step, 0);
    assert.deepEqual(await watched.trainStep.readWeights(), before);
  });

  it('of full retraining tests what is fresh, then goes over all there is from new weights', async (t) => {
    const watched = open(t, { strategy: 'full-retrain:scratch:2', trigger: 'samples:10' });
    const initial = await watched.trainStep.readWeights();
    await watched.stream.begin(0);
    assert.ok(watched.stream.publishesAfterPlan);
    while (watched.stream.isUnderWay) await watched.stream.step();
    assert.deepEqual(watched.batches[0], [20, 21, 22, 23, 24, 25, 26, 27, 28, 29]);
    const passes = watched.batches.slice(1);
    assert.equal(passes.length, 10, 'two passes over 30 samples in batches of six');
    for (const pass of [passes.slice(0, 5), passes.slice(5)]) {
      assert.deepEqual(
        pass.flat().sort((a, b) => a - b),
        Array.from({ length: 30 }, (_, i) => i),
      );
    }
    await watched.stream.begin(0);
    assert.deepEqual(await watched.trainStep.readWeights(), initial);
  });

  it('takes all that waits when its time has come, and no more than a batch of a source without end', async (t) => {
    const watched = open(t, { trigger: 'time:100' });
    assert.equal(await round(watched, 50), false);
    assert.equal(await round(watched, 120), true);
    const { position } = watched.stream.state();
    assert.ok(position - HISTORY_COUNT > 0 && position - HISTORY_COUNT <= OPTIONS.batchCount + 4);
    assert.equal(await round(watched, 130), false);
  });

  it('tells a trigger that watches for drift the loss of each group before it trains on it', async (t) => {
    const watched = open(t, { trigger: 'drift:page-hinkley:8:4' });
    const losses: number[] = [];
    const { trigger } = watched.parts;
    const observe = trigger.observe.bind(trigger);
    trigger.observe = (loss) => {
      losses.push(loss);
      observe(loss);
    };
    await round(watched);
    assert.equal(losses.length, 2);
    assert.deepEqual(watched.batches.slice(0, 2), [
      [20, 21, 22, 23],
      [24, 25, 26, 27],
    ]);
    assert.equal(watched.stream.state().prequential.seen, 8, 'each is counted once');
    assert.equal(watched.stream.state().testedEnd, 28);
  });
});

describe('a stream that is taken up again', () => {
  for (const choice of [
    { sampler: 'uniform' },
    { sampler: 'class-balanced:10' },
    { sampler: 'reservoir:10' },
    { strategy: 'online' },
    { trigger: 'drift:adwin:8:4' },
    { strategy: 'full-retrain:warm:1', trigger: 'samples:12' },
  ] satisfies Choice[]) {
    it(`comes to the same weights (${Object.values(choice).join(', ')})`, async (t) => {
      const whole = open(t, choice);
      for (let i = 0; i < 3; i++) await round(whole);
      const between = {
        state: whole.stream.state(),
        weights: await whole.trainStep.readWeights(),
        optimizer: await whole.trainStep.readOptimizer(),
        sampler: structuredClone(whole.parts.sampler.state()),
        trigger: structuredClone(whole.parts.trigger.state()),
      };
      for (let i = 0; i < 3; i++) await round(whole);

      const again = open(t, choice);
      again.trainStep.writeWeights(between.weights);
      again.trainStep.writeOptimizer(between.optimizer);
      const stream = new StreamTraining(
        {
          ...again.parts,
          sampler: restoreSampler(between.sampler),
          trigger: restoreTrigger(between.trigger),
        },
        between.state,
      );
      for (let i = 0; i < 3; i++) await round({ ...again, stream });
      assert.deepEqual(stream.state(), whole.stream.state());
      const [one, other] = [await whole.trainStep.readWeights(), await again.trainStep.readWeights()];
      for (const [i, { values }] of one.entries()) assertSameBits(other[i]!.values, values);
    });
  }

  it('sees again, before each round, what a trigger that looks at losses saw', async (t) => {
    const ends = new Map<number, number>();
    const runs = [];
    for (const isRepeated of [false, true]) {
      const watched = open(t, { trigger: 'drift:adwin:12:4' });
      const trigger = alertAfter(2);
      const stock = {
        ...watched.parts.stock,
        roundEnd: (number: number) => (isRepeated ? ends.get(number)! : null),
        takeRound: (number: number, end: number) => void ends.set(number, end),
      };
      const stream = new StreamTraining({ ...watched.parts, stock, trigger }, watched.stream.state());
      for (let i = 0; i < 3; i++) await round({ ...watched, stream });
      runs.push({ state: stream.state(), losses: trigger.losses });
    }
    assert.deepEqual([...ends.values()], [24, 28, 32]);
    assert.deepEqual(runs[1], runs[0]);
  });

  it('takes as many samples as the first time, whatever waits now', async (t) => {
    const watched = open(t);
    const stock = { ...watched.parts.stock, roundEnd: () => 23 };
    const stream = new StreamTraining({ ...watched.parts, stock }, watched.stream.state());
    assert.equal(await round({ ...watched, stream }), true);
    assert.equal(stream.state().position, 23);
  });
});

describe('the learning rate', () => {
  it('warms up after the initial training', async (t) => {
    const watched = open(t);
    const rates: number[] = [];
    const { trainStep } = watched;
    const set = trainStep.setLearningRate.bind(trainStep);
    trainStep.setLearningRate = (rate) => {
      rates.push(rate);
      set(rate);
    };
    const schedule = { fullRate: 1, warmUp: { steps: 2, from: 0 } };
    const stream = new StreamTraining({ ...watched.parts, schedule }, watched.stream.state());
    for (let i = 0; i < 4; i++) await round({ ...watched, stream });
    assert.deepEqual(rates, [0, 0.5, 1, 1]);
  });
});
