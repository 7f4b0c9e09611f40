/**
 * Proactive training on the stream (Prapas et al. 2021): each step takes the t newest samples and b − t drawn from all
 * before them. The samples of the source arrive in their order; when they are used up they arrive again, and
 * prequential accuracy stands still, because they are no longer new.
 */
import { PrequentialAccuracy, type PrequentialCounts } from '../core/prequential.ts';
import { type Random, type RandomState, restoreRandom } from '../core/random.ts';
import { selectBatch } from '../core/select-batch.ts';
import { BatchBuffer } from './batch-buffer.ts';
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
  readonly prequential: PrequentialCounts;
  readonly random: RandomState;
}

/** The state before the first step. */
export function streamStart(samplesSeen: number, random: Random): StreamState {
  return { step: 0, samplesSeen, prequential: { seen: 0, correct: 0 }, random: random.state() };
}

export class StreamTraining {
  readonly #trainStep: TrainStep;
  readonly #options: StreamOptions;
  readonly #sampleCount: number;
  readonly #batches: BatchBuffer;
  readonly #random: Random;
  readonly #prequential: PrequentialAccuracy;
  #step: number;
  #samplesSeen: number;
  #loss = 0;

  constructor(trainStep: TrainStep, source: SampleSource, options: StreamOptions, state: StreamState) {
    this.#trainStep = trainStep;
    this.#options = options;
    this.#sampleCount = source.train.count;
    this.#batches = new BatchBuffer(source, options.batchCount);
    this.#random = restoreRandom(state.random);
    this.#prequential = new PrequentialAccuracy(state.prequential, PREQUENTIAL_WINDOW_SAMPLES);
    this.#step = state.step;
    this.#samplesSeen = state.samplesSeen;
  }

  /** One step: predicts the fresh samples, then trains. @throws LEARNER_DIVERGED */
  async advance(): Promise<void> {
    const { freshCount } = this.#options;
    const { inputs, labels } = this.#batches.fill(this.#selectSamples());
    const { loss, correctFresh } = await this.#trainStep.step(inputs, labels, freshCount);
    // In a second pass over the source the model has been trained on what arrives: that would be no test.
    if (this.#samplesSeen < this.#sampleCount) {
      this.#prequential.add({ seen: freshCount, correct: correctFresh });
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
    return {
      step: this.#step,
      samplesSeen: this.#samplesSeen,
      loss: this.#loss,
      prequentialAccuracy: this.#prequential.cumulative(),
      windowedAccuracy: this.#prequential.windowed(),
    };
  }

  state(): StreamState {
    return {
      step: this.#step,
      samplesSeen: this.#samplesSeen,
      prequential: this.#prequential.counts(),
      random: this.#random.state(),
    };
  }
}
