/** Samples of the sample log, with those of the recipe's own source among them. */
import { assert } from '@freshet/protocol/assert';
import { FreshetError } from '@freshet/protocol/errors';
import type { LearnerSampleLog, StoredSample } from '../../history/sample-log/learner-sample-log.ts';
import { type Batch, BatchBuffer } from '../batch-buffer.ts';
import { SampleReader, type SampleTaker } from '../sample-reader.ts';
import type { ClassSample, SampleSet, SampleSource, VectorSample } from '../sample-source.ts';
import type { SampleStock } from './sample-stock.ts';

/** Arrivals are 32-bit numbers. */
const ARRIVAL_COUNT = 2 ** 32;
/** Samples in memory at a time where only their labels are wanted. */
const READ_COUNT = 1000;

export class LoggedStock implements SampleStock {
  readonly #log: LearnerSampleLog;
  readonly #source: SampleSource;
  readonly #taker: SampleTaker;
  readonly #batches: BatchBuffer;
  readonly #reader: SampleReader;
  readonly #onUnusable: (problem: string) => void;
  /** The newest arrival that `onUnusable` was told of. */
  #reported = -1;
  readonly #loaded = new Map<number, StoredSample>();

  /**
   * For batches of at most `countMax` samples. `log` stays the caller's. `onUnusable` is told of each sample from elsewhere
   * that the recipe's preprocessing cannot take.
   */
  constructor(
    log: LearnerSampleLog,
    source: SampleSource,
    taker: SampleTaker,
    countMax: number,
    onUnusable: (problem: string) => void,
  ) {
    this.#log = log;
    this.#source = source;
    this.#taker = taker;
    const samples: SampleSet = { count: ARRIVAL_COUNT, sample: (arrival) => this.#sample(arrival) };
    this.#batches = new BatchBuffer(taker, samples, countMax);
    this.#reader = new SampleReader(taker, samples);
    this.#onUnusable = onUnusable;
  }

  available(position: number, wanted: number): number {
    const { arrivalEnd, sourceEnd } = this.#log.state();
    const missing = wanted - (arrivalEnd - position);
    if (missing <= 0) return arrivalEnd - position;
    const { train, repeats } = this.#source;
    const trainCount = train?.count ?? 0;
    const left = repeats && trainCount > 0 ? missing : Math.max(0, trainCount - sourceEnd);
    if (left > 0) this.#log.appendFromSource(sourceEnd, Math.min(missing, left));
    return this.#log.end - position;
  }

  usable(arrivals: Uint32Array): Uint32Array {
    const stored = this.#log.read(arrivals);
    return arrivals.filter((arrival, i) => {
      const sample = stored[i]!;
      // What is wrong with the recipe's own is for its author to mend.
      if ('sourceIndex' in sample) return true;
      const problem = this.#problemOf(arrival, sample);
      if (problem === null) return true;
      // It may be asked for twice: when it is predicted, and when it is trained on.
      if (arrival > this.#reported) this.#onUnusable(problem);
      this.#reported = Math.max(arrival, this.#reported);
      return false;
    });
  }

  batch(arrivals: Uint32Array): Batch {
    for (const [i, sample] of this.#log.read(arrivals).entries()) this.#loaded.set(arrivals[i]!, sample);
    try {
      return this.#batches.fill(arrivals);
    } finally {
      this.#loaded.clear();
    }
  }

  history(position: number): Uint32Array {
    return this.#log.arrivals(0, position);
  }

  labels(arrivals: Uint32Array): Int32Array | null {
    if (this.#taker.format.target.kind !== 'class') return null;
    const labels = new Int32Array(arrivals.length);
    for (let first = 0; first < arrivals.length; first += READ_COUNT) {
      const some = arrivals.subarray(first, first + READ_COUNT);
      for (const [i, stored] of this.#log.read(some).entries()) {
        const sample =
          'sourceIndex' in stored ? this.#ofSource(stored.sourceIndex) : { label: stored.target };
        assert('label' in sample && typeof sample.label === 'number', 'a sample of a class');
        labels[first + i] = sample.label;
      }
    }
    return labels;
  }

  isRepeated(arrival: number): boolean {
    if (!this.#source.repeats) return false;
    const [stored] = this.#log.read([arrival]);
    return stored !== undefined && 'sourceIndex' in stored && stored.sourceIndex >= this.#trainSet().count;
  }

  roundEnd(round: number): number | null {
    return this.#log.stepEnd(round);
  }

  takeRound(round: number, end: number): void {
    this.#log.takeStep(round, end);
  }

  /** Shape and numbers have been looked at when it came; what the recipe's preprocessing makes of them was not known then. */
  #problemOf(arrival: number, sample: StoredSample): string | null {
    this.#loaded.set(arrival, sample);
    try {
      this.#reader.read(arrival);
      return null;
    } catch (error) {
      if (error instanceof FreshetError && error.code === 'SAMPLES_INVALID') return error.message;
      throw error;
    } finally {
      this.#loaded.delete(arrival);
    }
  }

  #sample(arrival: number): ClassSample | VectorSample {
    const stored = this.#loaded.get(arrival);
    assert(stored !== undefined, 'a sample of the batch');
    if ('sourceIndex' in stored) return this.#ofSource(stored.sourceIndex);
    const { input, target } = stored;
    return typeof target === 'number' ? { input, label: target } : { input, target };
  }

  #ofSource(index: number): ClassSample | VectorSample {
    const train = this.#trainSet();
    return train.sample(index % train.count);
  }

  /** @throws CONFIG_INVALID when the recipe had samples once, which the log builds on, and has none now */
  #trainSet(): SampleSet {
    const { train } = this.#source;
    if (train !== null && train.count > 0) return train;
    throw new FreshetError(
      'CONFIG_INVALID',
      'recipe: openSource().train is missing, and history has samples of it: put it back, or use another --state directory',
    );
  }
}
