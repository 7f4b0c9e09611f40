/**
 * Proactive training on the stream (Prapas et al. 2021): each step takes the t newest samples and b − t drawn from all
 * before them. The samples of the source arrive in their order. When they are used up the stream is exhausted, or, where
 * the source repeats, they arrive again, and the prequential metric stands still, because they are no longer new.
 */
import { assert } from '@freshet/protocol/assert';
import { PrequentialMetric, type PrequentialTotals } from '../core/prequential.ts';
import { type Random, type RandomState, restoreRandom } from '../core/random.ts';
import { selectBatch } from '../core/select-batch.ts';
import { BatchBuffer } from './batch-buffer.ts';
import { readingsOf } from './metrics/metric-reading.ts';
import type { SampleSource } from './sample-source.ts';
import type { TrainStep } from './train-step.ts';

const PREQUENTIAL_WINDOW_SAMPLES = 1000;

export interface StreamOptions {
  /** b: samples of a step. */
  readonly batchCount: number;
  /** t: new ones among them. */
  readonly freshCount: number;
}

export interface StreamState {
  readonly step: number;
  /** Samples that have arrived, those of the initial training included. */
  readonly samplesSeen: number;
  readonly prequential: PrequentialTotals;
  readonly random: RandomState;
}

/** The state before the first step. */
export function streamStart(samplesSeen: number, random: Random): StreamState {
  return { step: 0, samplesSeen, prequential: { seen: 0, sum: 0 }, random: random.state() };
}

export class StreamTraining {
  readonly #trainStep: TrainStep;
  readonly #options: StreamOptions;
  readonly #sampleCount: number;
  /** Null where the source has no samples to train on. */
  readonly #batches: BatchBuffer | null;
  readonly #random: Random;
  readonly #repeats: boolean;
  readonly #prequential: PrequentialMetric;
  #step: number;
  #samplesSeen: number;
  #loss = 0;

  constructor(trainStep: TrainStep, source: SampleSource, options: StreamOptions, state: StreamState) {
    const { train, repeats } = source;
    this.#trainStep = trainStep;
    this.#options = options;
    this.#sampleCount = train?.count ?? 0;
    this.#repeats = repeats;
    this.#batches = train && new BatchBuffer(trainStep.recipe, train, options.batchCount);
    this.#random = restoreRandom(state.random);
    this.#prequential = new PrequentialMetric(state.prequential, PREQUENTIAL_WINDOW_SAMPLES);
    this.#step = state.step;
    this.#samplesSeen = state.samplesSeen;
  }

  /** Whether too few samples are left for a step. */
  get exhausted(): boolean {
    return !this.#repeats && this.#samplesSeen + this.#options.freshCount > this.#sampleCount;
  }

  /**
   * One step: predicts the fresh samples, then trains. Only while the stream is not exhausted.
   * @throws LEARNER_DIVERGED, SAMPLES_INVALID, CONFIG_INVALID
   */
  async advance(): Promise<void> {
    const { freshCount } = this.#options;
    assert(this.#batches !== null && !this.exhausted, 'samples are left');
    const { inputs, targets } = this.#batches.fill(this.#selectSamples());
    const { loss, freshMetricSum } = await this.#trainStep.step(inputs, targets, freshCount);
    // In a second pass over the source the model has been trained on what arrives: that would be no test.
    if (this.#samplesSeen < this.#sampleCount) {
      this.#prequential.add({ seen: freshCount, sum: freshMetricSum });
    }
    this.#samplesSeen += freshCount;
    this.#step++;
    this.#loss = loss;
  }

  /** Samples of the source: the newest first, then those drawn from history. */
  #selectSamples(): Uint32Array {
    const isFirstPass = this.#samplesSeen < this.#sampleCount;
    // From the second pass on all samples are history, and the newest are the next ones round.
    const historyCount = isFirstPass ? this.#samplesSeen : this.#sampleCount;
    const selected = selectBatch({ ...this.#options, historyCount }, this.#random);
    const shift = this.#samplesSeen % this.#sampleCount;
    return selected.map((index, i) => {
      const isFresh = i < this.#options.freshCount;
      return (isFresh ? index - historyCount + shift : index) % this.#sampleCount;
    });
  }

  /** What a publication tells about the moment. */
  note() {
    const { name, better } = this.#trainStep.recipe.metric;
    const cumulative = this.#prequential.cumulative();
    const windowed = this.#prequential.windowed();
    const metric = { name, better, cumulative, windowed };
    return { step: this.#step, samplesSeen: this.#samplesSeen, loss: this.#loss, ...readingsOf(metric) };
  }

  state(): StreamState {
    return {
      step: this.#step,
      samplesSeen: this.#samplesSeen,
      prequential: this.#prequential.totals(),
      random: this.#random.state(),
    };
  }
}
