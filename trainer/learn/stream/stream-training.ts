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
/** Samples of one forward pass where they are tested apart from training. */
const TEST_BATCH_COUNT = 250;

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
  /** Told of the samples from arrival `first` on, as they are predicted for the first time: the metric of each. */
  readonly onTested?: (first: number, measures: readonly number[]) => void;
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
    const count = recorded === null ? await this.#due(nowMs) : recorded - position;
    if (count === 0) return false;
    const end = position + count;
    if (trigger.observes) await this.#observeUpTo(end);
    stock.takeRound(round, end);
    trigger.took(count, nowMs);
    if (strategy.tests === 'apart') await this.#testUpTo(end);
    if (strategy.restart === 'scratch') {
      this.#parts.trainStep.startAnew();
      this.#change({ scheduleStep: 0 });
    }
    const batches = strategy.plan(range(position, end), sampler, this.random)[Symbol.iterator]();
    this.#goOn(batches, end);
    return true;
  }

  /**
   * Trains on the next batch of the round; after the last one the round is over.
   * @throws LEARNER_DIVERGED, SAMPLES_INVALID, CONFIG_INVALID, STORE_*
   */
  async step(): Promise<void> {
    assert(this.#running !== null, 'a round is under way');
    const { batches, end, next } = this.#running;
    const { arrivals, freshCount } = next;
    const { trainStep, stock, schedule } = this.#parts;
    const { inputs, targets } = stock.batch(arrivals);
    trainStep.setLearningRate(learningRateAt(this.#state.scheduleStep, schedule.fullRate, schedule.warmUp));
    const { position, testedEnd, step, scheduleStep } = this.#state;
    // What has been observed is predicted already.
    const untestedCount = testedEnd === position ? freshCount : 0;
    const { loss, freshMeasures } = await trainStep.step(inputs, targets, untestedCount);
    if (untestedCount > 0) this.#tested(position, freshMeasures);
    this.#intoHistory(position + freshCount);
    this.#loss = loss;
    this.#change({ step: step + 1, scheduleStep: scheduleStep + 1 });
    this.#goOn(batches, end);
  }

  /** Asks the plan for the next batch. */
  #goOn(batches: Iterator<PlannedBatch>, end: number): void {
    const next = batches.next();
    if (next.done !== true) {
      this.#running = { batches, end, next: next.value };
      return;
    }
    this.#intoHistory(end);
    this.#running = null;
    this.#change({ round: this.#state.round + 1 });
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
      const loss = await this.#test(Math.min(groupCount, end - this.#state.testedEnd));
      trigger.observe(loss);
    }
  }

  async #testUpTo(end: number): Promise<void> {
    while (this.#state.testedEnd < end) {
      await this.#test(Math.min(TEST_BATCH_COUNT, end - this.#state.testedEnd));
    }
  }

  /** Predicts the next `count` samples, and gives their mean loss. */
  async #test(count: number): Promise<number> {
    const { testedEnd } = this.#state;
    const { inputs, targets } = this.#parts.stock.batch(range(testedEnd, testedEnd + count));
    const { loss, measures } = await this.#parts.trainStep.test(inputs, targets);
    this.#tested(testedEnd, measures);
    return loss;
  }

  #tested(first: number, measures: readonly number[]): void {
    this.#change({ testedEnd: first + measures.length });
    this.#parts.onTested?.(first, measures);
    // In a second pass over a source the model has been trained on what arrives: that would be no test.
    if (!this.#parts.stock.isRepeated(first)) this.#prequential.add(totalsOf(measures));
  }

  /** The samples before `end` have been trained on. */
  #intoHistory(end: number): void {
    const { sampler, stock } = this.#parts;
    const arrivals = range(this.#state.position, end);
    const labels = stock.labels(arrivals);
    for (const [i, arrival] of arrivals.entries()) {
      this.#gone.push(...sampler.add(arrival, labels?.[i] ?? null, this.random));
    }
    this.#change({ position: end, testedEnd: Math.max(end, this.#state.testedEnd) });
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
