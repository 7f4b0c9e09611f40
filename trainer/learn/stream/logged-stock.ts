/** Samples of the sample log, with those of the recipe's own source among them. */
import { assert } from '@freshet/protocol/assert';
import type { LearnerSampleLog, StoredSample } from '../../history/sample-log/learner-sample-log.ts';
import { type Batch, BatchBuffer } from '../batch-buffer.ts';
import type { SampleTaker } from '../sample-reader.ts';
import type { ClassSample, SampleSet, SampleSource, VectorSample } from '../sample-source.ts';
import type { SampleStock } from './sample-stock.ts';

/** Arrivals are 32-bit numbers. */
const ARRIVAL_COUNT = 2 ** 32;

export class LoggedStock implements SampleStock {
  readonly #log: LearnerSampleLog;
  readonly #source: SampleSource;
  readonly #batches: BatchBuffer;
  readonly #loaded = new Map<number, StoredSample>();

  /** For batches of at most `countMax` samples. `log` stays the caller's. */
  constructor(log: LearnerSampleLog, source: SampleSource, taker: SampleTaker, countMax: number) {
    this.#log = log;
    this.#source = source;
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

  isRepeated(arrival: number): boolean {
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
    if ('sourceIndex' in stored) {
      const train = this.#trainSet();
      return train.sample(stored.sourceIndex % train.count);
    }
    const { input, target } = stored;
    return typeof target === 'number' ? { input, label: target } : { input, target };
  }

  /** A log with samples of the source belongs to a recipe that has one. */
  #trainSet(): SampleSet {
    const { train } = this.#source;
    assert(train !== null, 'the recipe has samples of its own');
    return train;
  }
}
