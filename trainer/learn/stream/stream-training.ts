/**
 * Training on the stream, in rounds. A round begins when the trigger says so, and takes the samples that are due; the
 * strategy says what to train on for them. Each fresh sample is predicted before it is trained on, which gives the
 * prequential metric, and belongs to history afterwards.
 *
 * A round depends on nothing but the state before it, the samples, and how many of them it takes, which the stock has on
 * record: a run that goes on from an older state repeats its rounds bit for bit.
 */
import { assert } from '@freshet/protocol/assert';
import { learningRateAt, type WarmUp } from '../../core/learning-rate.ts';
import { PrequentialMetric, type PrequentialTotals } from '../../core/prequential.ts';
import { type Random, type RandomState, restoreRandom } from '../../core/random.ts';
import type { HistorySampler } from '../../core/samplers/history-sampler.ts';
import type { PlannedBatch, Strategy } from '../../core/strategies/strategy.ts';
import type { Trigger } from '../../core/triggers/trigger.ts';
import { readingsOf } from '../metrics/metric-reading.ts';
import type { TrainStep } from '../train-step.ts';
import type { SampleStock } from './sample-stock.ts';

const PREQUENTIAL_WINDOW_SAMPLES = 1000;
/** Samples of one forward pass where they are tested apart from training: a stock has to give as many at a time. */
export const TEST_BATCH_COUNT = 250;

export interface StreamParts {
  readonly trainStep: TrainStep;
  readonly stock: SampleStock;
  readonly strategy: Strategy;
  readonly trigger: Trigger;
  readonly sampler: HistorySampler;
  readonly schedule: LearningSchedule;
  /** Samples that arrive together, as far as a trigger that observes losses is concerned. */
  readonly groupCount: number;
  /** Waiting samples beyond which the recipe's own source is not asked for more. */
  readonly waitingMax: number;
  /** Told of samples as they are predicted for the first time: the metric of each. */
  readonly onTested?: (arrivals: Uint32Array, measures: readonly number[]) => void;
}

export interface LearningSchedule {
  readonly fullRate: number;
  readonly warmUp: WarmUp;
}

/** All there is to know between two rounds, beside the states of trigger, sampler, weights and optimiser. */
export interface StreamState {
  /** Of the next round. */
  readonly round: number;
  /** Optimiser steps on the stream so far. */
  readonly step: number;
  /** Those since the schedule of the learning rate began. */
  readonly scheduleStep: number;
  /** Samples before this arrival are history. */
  readonly position: number;
  /** Samples before this arrival have been predicted; at least `position`. */
  readonly testedEnd: number;
  readonly prequential: PrequentialTotals;
  readonly random: RandomState;
}

/** The state before the first round, when the samples before `position` are history already. */
export function streamStart(round: number, position: number, random: Random): StreamState {
  return {
    round,
    step: 0,
    scheduleStep: 0,
    position,
    testedEnd: position,
    prequential: { seen: 0, sum: 0 },
    random: random.state(),
  };
}

interface Round {
  /** The samples before this arrival are its own, or history. */
  readonly end: number;
  /** Its own, but for those that cannot be used. */
  readonly fresh: Uint32Array;
  /** Whether they are predicted in the batches that train on them; otherwise they have been already. */
  readonly testsInBatches: boolean;
  readonly batches: Iterator<PlannedBatch>;
  /** To be trained on next. */
  readonly next: PlannedBatch;
}

export class StreamTraining {
  readonly #parts: StreamParts;
  /** What rounds draw from; a gradient filter draws from it as well. */
  readonly random: Random;
  readonly #prequential: PrequentialMetric;
  readonly #gone: number[] = [];
  #state: StreamState;
  #running: Round | null = null;
  #loss = 0;

  constructor(parts: StreamParts, state: StreamState) {
    this.#parts = parts;
    this.#state = state;
    this.random = restoreRandom(state.random);
    this.#prequential = new PrequentialMetric(state.prequential, PREQUENTIAL_WINDOW_SAMPLES);
  }

  /** Whether there is a batch of the round that has not been trained on. */
  get isUnderWay(): boolean {
    return this.#running !== null;
  }

  /** Whether weights are worth publishing only when a round is over, and then all of them. */
  get publishesAfterPlan(): boolean {
    return this.#parts.strategy.publishes === 'after-plan';
  }

  /**
   * Begins the next round if it is due at `nowMs` (milliseconds since 1970), and says whether it was: if not, there are
   * too few samples, or it is too early. Only when no round is under way; one without batches is over at once.
   * @throws SAMPLES_INVALID, CONFIG_INVALID, STORE_*
   */
  async begin(nowMs: number): Promise<boolean> {
    assert(!this.isUnderWay, 'one round at a time');
    const { stock, strategy, trigger, sampler } = this.#parts;
    const { round, position } = this.#state;
    const recorded = stock.roundEnd(round);
    // One that observes has to see again what it saw before it decided, with the model of then.
    const due = recorded === null || trigger.observes ? await this.#due(nowMs) : 0;
    const count = recorded === null ? due : recorded - position;
    if (count === 0) return false;
    const end = position + count;
    if (trigger.observes) await this.#observeUpTo(end);
    stock.takeRound(round, end);
    trigger.took(count, nowMs);
    if (strategy.tests === 'apart') await this.#testUpTo(end);
    const testsInBatches = strategy.tests === 'in-batches' && !trigger.observes;
    const fresh = this.#usable(position, end);
    if (strategy.restart === 'scratch') {
      this.#parts.trainStep.startAnew();
      this.#change({ scheduleStep: 0 });
    }
    const batches = strategy.plan(fresh, sampler, this.random)[Symbol.iterator]();
    this.#goOn({ end, fresh, testsInBatches, batches });
    return true;
  }

  /**
   * Trains on the next batch of the round; after the last one the round is over.
   * @throws LEARNER_DIVERGED, SAMPLES_INVALID, CONFIG_INVALID, STORE_*
   */
  async step(): Promise<void> {
    assert(this.#running !== null, 'a round is under way');
    const { next, ...round } = this.#running;
    const { arrivals, freshCount } = next;
    const { trainStep, stock, schedule } = this.#parts;
    const { inputs, targets } = stock.batch(arrivals);
    trainStep.setLearningRate(learningRateAt(this.#state.scheduleStep, schedule.fullRate, schedule.warmUp));
    const { step, scheduleStep } = this.#state;
    const untestedCount = round.testsInBatches ? freshCount : 0;
    const { loss, freshMeasures } = await trainStep.step(inputs, targets, untestedCount);
    const trainedOn = arrivals.subarray(0, freshCount);
    if (untestedCount > 0) this.#tested(trainedOn, freshMeasures);
    this.#intoHistory(trainedOn);
    this.#loss = loss;
    this.#change({ step: step + 1, scheduleStep: scheduleStep + 1 });
    this.#goOn({ ...round, fresh: round.fresh.subarray(freshCount) });
  }

  /** Asks the plan for the next batch. `round.fresh`: those that are not history yet. */
  #goOn(round: Omit<Round, 'next'>): void {
    const next = round.batches.next();
    if (next.done !== true) {
      this.#running = { ...round, next: next.value };
      return;
    }
    this.#intoHistory(round.fresh);
    this.#running = null;
    const { round: number, testedEnd } = this.#state;
    this.#change({ round: number + 1, position: round.end, testedEnd: Math.max(testedEnd, round.end) });
  }

  /** Of the arrivals [first, end) those that can be used. The others will not be asked for again. */
  #usable(first: number, end: number): Uint32Array {
    const arrivals = range(first, end);
    const usable = this.#parts.stock.usable(arrivals);
    if (usable.length < arrivals.length) {
      const kept = new Set(usable);
      this.#gone.push(...arrivals.filter((arrival) => !kept.has(arrival)));
    }
    return usable;
  }

  /** What a publication tells about the moment. */
  note() {
    const { name, better } = this.#parts.trainStep.recipe.metric;
    const cumulative = this.#prequential.cumulative();
    const windowed = this.#prequential.windowed();
    const { step, position } = this.#state;
    const metric = { name, better, cumulative, windowed };
    return { step, samplesSeen: position, loss: this.#loss, ...readingsOf(metric) };
  }

  /** Between two rounds: all that `StreamTraining` needs to go on. */
  state(): StreamState {
    assert(!this.isUnderWay, 'between two rounds');
    return { ...this.#state, prequential: this.#prequential.totals(), random: this.random.state() };
  }

  /** How many `takeGone` would give. */
  get goneCount(): number {
    return this.#gone.length;
  }

  /** Arrivals that have left history since the last call: nobody will ask for them again. */
  takeGone(): number[] {
    return this.#gone.splice(0);
  }

  /** How many samples the next round takes now; the source is asked for more as long as they do not suffice. */
  async #due(nowMs: number): Promise<number> {
    const { stock, trigger, groupCount, waitingMax } = this.#parts;
    const { position } = this.#state;
    for (let wanted = trigger.observes ? this.#state.testedEnd - position : 0; ; wanted += groupCount) {
      const available = stock.available(position, wanted);
      // A trigger that observes has seen no more than these.
      const count = trigger.due(trigger.observes ? Math.min(available, wanted) : available, nowMs);
      if (count > 0 || available < wanted || wanted > waitingMax) return count;
      if (trigger.observes) await this.#observeUpTo(position + wanted);
    }
  }

  /** Predicts samples as they arrive, group by group, for a trigger that wants to know their loss. */
  async #observeUpTo(end: number): Promise<void> {
    const { groupCount, trigger } = this.#parts;
    while (this.#state.testedEnd < end) {
      const loss = await this.#test(Math.min(end, this.#state.testedEnd + groupCount));
      if (loss !== null) trigger.observe(loss);
    }
  }

  async #testUpTo(end: number): Promise<void> {
    while (this.#state.testedEnd < end) {
      await this.#test(Math.min(end, this.#state.testedEnd + TEST_BATCH_COUNT));
    }
  }

  /** Predicts the next samples, up to arrival `end`, and gives their mean loss; null where none can be used. */
  async #test(end: number): Promise<number | null> {
    const { stock, trainStep } = this.#parts;
    const arrivals = stock.usable(range(this.#state.testedEnd, end));
    this.#change({ testedEnd: end });
    if (arrivals.length === 0) return null;
    const { inputs, targets } = stock.batch(arrivals);
    const { loss, measures } = await trainStep.test(inputs, targets);
    this.#tested(arrivals, measures);
    return loss;
  }

  #tested(arrivals: Uint32Array, measures: readonly number[]): void {
    this.#parts.onTested?.(arrivals, measures);
    // In a second pass over a source the model has been trained on what arrives: that would be no test.
    if (!this.#parts.stock.isRepeated(arrivals[0]!)) this.#prequential.add(totalsOf(measures));
  }

  /** These have been trained on for the first time, or would have been by another strategy. */
  #intoHistory(arrivals: Uint32Array): void {
    const { sampler, stock } = this.#parts;
    const labels = sampler.usesLabels ? stock.labels(arrivals) : null;
    for (const [i, arrival] of arrivals.entries()) {
      this.#gone.push(...sampler.add(arrival, labels?.[i] ?? null, this.random));
    }
    const last = arrivals.at(-1);
    if (last !== undefined) this.#change({ position: last + 1 });
  }

  #change(change: Partial<StreamState>): void {
    this.#state = { ...this.#state, ...change };
  }
}

function totalsOf(measures: readonly number[]): PrequentialTotals {
  return { seen: measures.length, sum: measures.reduce((sum, measure) => sum + measure, 0) };
}

function range(first: number, end: number): Uint32Array {
  return Uint32Array.from({ length: end - first }, (_, i) => first + i);
}
