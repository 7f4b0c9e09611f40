/**
 * A metric measured prequentially (test-then-train; Dawid 1984): each fresh sample is predicted before it is trained
 * on. Kept over all samples, as the paper reports it, and over a sliding window, because the former hides what happens
 * now.
 */
import { assert } from '@freshet/protocol/assert';

/** Measures of some samples: how many, and their sum. */
export interface PrequentialTotals {
  readonly seen: number;
  readonly sum: number;
}

export class PrequentialMetric {
  #seen: number;
  #sum: number;
  readonly #windowCount: number;
  /** Groups of samples as they came, newest last. */
  readonly #window: PrequentialTotals[] = [];
  #windowSeen = 0;

  /** `start`: totals from before a restart. `windowCount`: samples in the sliding window. */
  constructor(start: PrequentialTotals, windowCount: number) {
    assert(windowCount > 0, 'a window of at least one sample');
    this.#seen = start.seen;
    this.#sum = start.sum;
    this.#windowCount = windowCount;
  }

  /** Takes in the measures of some fresh samples. */
  add(group: PrequentialTotals): void {
    assert(group.seen >= 0 && Number.isFinite(group.sum), 'finite measures of samples');
    this.#seen += group.seen;
    this.#sum += group.sum;
    this.#window.push(group);
    this.#windowSeen += group.seen;
    while (this.#window.length > 1 && this.#windowSeen - this.#window[0]!.seen >= this.#windowCount) {
      this.#windowSeen -= this.#window.shift()!.seen;
    }
  }

  totals(): PrequentialTotals {
    return { seen: this.#seen, sum: this.#sum };
  }

  /** The mean over all samples; null before the first. */
  cumulative(): number | null {
    return this.#seen === 0 ? null : this.#sum / this.#seen;
  }

  /** The mean over the newest samples, at least `windowCount` of them once so many were seen; null before the first. */
  windowed(): number | null {
    if (this.#windowSeen === 0) return null;
    // Added up anew: taking away what leaves would leave its rounding behind, for as long as the stream runs.
    return this.#window.reduce((sum, group) => sum + group.sum, 0) / this.#windowSeen;
  }
}
