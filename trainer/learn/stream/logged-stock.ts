/** Samples of the sample log, with those of the recipe's own source among them. */
import { assert } from '@freshet/protocol/assert';
import type { LearnerSampleLog, StoredSample } from '../../history/sample-log/learner-sample-log.ts';
import { type Batch, BatchBuffer } from '../batch-buffer.ts';
import type { SampleTaker } from '../sample-reader.ts';
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
  readonly #loaded = new Map<number, StoredSample>();

  /** For batches of at most `countMax` samples. `log` stays the caller's. */
  constructor(log: LearnerSampleLog, source: SampleSource, taker: SampleTaker, countMax: number) {
    this.#log = log;
    this.#source = source;
    this.#taker = taker;
    const samples: SampleSet = { count: ARRIVAL_COUNT, sample: (arrival) => this.#sample(arrival) };
    this.#batches = new BatchBuffer(taker, samples, countMax);
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

  /** A log with samples of the source belongs to a recipe that has one. */
  #trainSet(): SampleSet {
    const { train } = this.#source;
    assert(train !== null, 'the recipe has samples of its own');
    return train;
  }
}
