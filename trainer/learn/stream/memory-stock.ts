/** Samples of a set in memory, which arrive as they are asked for: for experiments, which keep no log. */
import { type Batch, BatchBuffer } from '../batch-buffer.ts';
import type { SampleTaker } from '../sample-reader.ts';
import type { SampleSet } from '../sample-source.ts';
import type { SampleStock } from './sample-stock.ts';

export class MemoryStock implements SampleStock {
  readonly #samples: SampleSet;
  readonly #batches: BatchBuffer;

  /** An arrival is an index into `samples`. For batches of at most `countMax`. */
  constructor(samples: SampleSet, taker: SampleTaker, countMax: number) {
    this.#samples = samples;
    this.#batches = new BatchBuffer(taker, samples, countMax);
  }

  available(position: number, wanted: number): number {
    return Math.min(wanted, this.#samples.count - position);
  }

  usable(arrivals: Uint32Array): Uint32Array {
    return arrivals;
  }

  batch(arrivals: Uint32Array): Batch {
    return this.#batches.fill(arrivals);
  }

  history(position: number): Uint32Array {
    return Uint32Array.from({ length: position }, (_, i) => i);
  }

  labels(arrivals: Uint32Array): Int32Array | null {
    const labels = new Int32Array(arrivals.length);
    for (const [i, arrival] of arrivals.entries()) {
      const sample = this.#samples.sample(arrival);
      if (!('label' in sample)) return null;
      labels[i] = sample.label;
    }
    return labels;
  }

  isRepeated(): boolean {
    return false;
  }

  roundEnd(): null {
    return null;
  }

  takeRound(): void {
    // Nothing outlives the process.
  }
}
