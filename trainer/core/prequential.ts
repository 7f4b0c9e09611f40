/**
 * Prequential accuracy (test-then-train; Dawid 1984): each fresh sample is predicted before it is trained on. Kept
 * over all samples, as the paper reports it, and over a sliding window, because the former hides what happens now.
 */
import { assert } from '@freshet/protocol/assert';

export interface PrequentialCounts {
  readonly seen: number;
  readonly correct: number;
}

export class PrequentialAccuracy {
  #seen: number;
  #correct: number;
  readonly #windowCount: number;
  /** Groups of samples as they came, newest last. */
  readonly #window: PrequentialCounts[] = [];
  #windowSeen = 0;
  #windowCorrect = 0;

  /** `start`: counts from before a restart. `windowCount`: samples in the sliding window. */
  constructor(start: PrequentialCounts, windowCount: number) {
    assert(windowCount > 0, 'a window of at least one sample');
    this.#seen = start.seen;
    this.#correct = start.correct;
    this.#windowCount = windowCount;
  }

  /** Takes in that `correct` of `seen` fresh samples were predicted right. */
  add(group: PrequentialCounts): void {
    assert(group.correct >= 0 && group.correct <= group.seen, 'no more right than seen');
    this.#seen += group.seen;
    this.#correct += group.correct;
    this.#window.push(group);
    this.#windowSeen += group.seen;
    this.#windowCorrect += group.correct;
    while (this.#window.length > 1 && this.#windowSeen - this.#window[0]!.seen >= this.#windowCount) {
      const oldest = this.#window.shift()!;
      this.#windowSeen -= oldest.seen;
      this.#windowCorrect -= oldest.correct;
    }
  }

  counts(): PrequentialCounts {
    return { seen: this.#seen, correct: this.#correct };
  }

  /** Over all samples; 0 before the first. */
  cumulative(): number {
    return this.#seen === 0 ? 0 : this.#correct / this.#seen;
  }

  /** Over the newest samples, at least `windowCount` of them once so many were seen; 0 before the first. */
  windowed(): number {
    return this.#windowSeen === 0 ? 0 : this.#windowCorrect / this.#windowSeen;
  }
}
