/**
 * ADWIN2 (Bifet and Gavaldà, Learning from time-changing data with adaptive windowing, SDM 2007): keeps a window as long
 * as the mean in it is constant, and drops its old end when it is not.
 *
 * The window W of n values is cut in two in every way that its buckets allow, W0 before W1, of n0 and n1 values. Its old
 * end is dropped while some cut has |mean(W0) − mean(W1)| > ε, with
 *
 *     ε = √(2/m · σ² · ln(2/δ′)) + 2/(3m) · ln(2/δ′),   1/m = 1/n0 + 1/n1,   δ′ = δ / ln n
 *
 * (their section 4.1; σ² is the variance in W). The second term needs values in [0, 1]. At each value, the chance that a
 * window of constant mean is cut is at most δ, and is far below it in practice.
 *
 * Values are kept in an exponential histogram: at most 5 buckets of each of 1, 2, 4, … values, O(log n) numbers in all.
 */
import { assert } from '@freshet/protocol/assert';
import type { DriftChange, DriftDetector } from './drift-detector.ts';

/** M of the paper: of one size, so many buckets before two are merged. */
const BUCKETS_OF_ONE_SIZE_MAX = 5;
/** Fewer values on one side tell nothing: the term in 1/m alone is about 1 for so many. As in MOA. */
const PART_COUNT_MIN = 5;

export interface AdwinBucket {
  readonly sum: number;
  /** Sum of squared differences from the bucket's mean. */
  readonly squares: number;
}

export interface AdwinState {
  readonly kind: 'adwin';
  /** δ */
  readonly delta: number;
  /** Buckets of 2^i values at index i, the oldest first. */
  readonly rows: readonly (readonly AdwinBucket[])[];
}

/** Any number of values, as far as means and variances go. */
interface Moments {
  count: number;
  mean: number;
  squares: number;
}

export class Adwin implements DriftDetector {
  readonly #delta: number;
  readonly #rows: AdwinBucket[][];

  constructor({ delta, rows }: AdwinState) {
    assert(delta > 0 && delta < 1, 'a confidence in (0, 1)');
    this.#delta = delta;
    this.#rows = rows.map((row) => [...row]);
  }

  add(value: number): DriftChange {
    assert(value >= 0 && value <= 1, 'ADWIN is for values in [0, 1]');
    this.#append(value);
    const change = this.#findCut();
    for (let cut = change; cut !== 'none'; cut = this.#findCut()) this.#dropOldestBucket();
    return change;
  }

  #append(value: number): void {
    let bucket: AdwinBucket = { sum: value, squares: 0 };
    for (let i = 0; ; i++) {
      const row = this.#rows[i] ?? [];
      this.#rows[i] = row;
      row.push(bucket);
      if (row.length <= BUCKETS_OF_ONE_SIZE_MAX) return;
      const [older, newer] = row.splice(0, 2);
      bucket = merge(older!, newer!, 2 ** i);
    }
  }

  #dropOldestBucket(): void {
    const oldest = this.#rows.at(-1)!;
    oldest.shift();
    while (this.#rows.at(-1)?.length === 0) this.#rows.pop();
  }

  /** Whether some cut tells two means apart, and which of them is larger at the one that leaves the oldest part. */
  #findCut(): DriftChange {
    const whole = this.window();
    const before: Moments = { count: 0, mean: 0, squares: 0 };
    // δ′ is of use from n = 3 on only, and no cut has fewer values.
    const confidence = Math.log((2 * Math.log(whole.count)) / this.#delta);
    const variance = whole.squares / whole.count;
    for (let i = this.#rows.length - 1; i >= 0; i--) {
      for (const bucket of this.#rows[i]!) {
        include(before, bucket, 2 ** i);
        const afterCount = whole.count - before.count;
        if (before.count < PART_COUNT_MIN) continue;
        if (afterCount < PART_COUNT_MIN) return 'none';
        const inverse = 1 / before.count + 1 / afterCount;
        const bound = Math.sqrt(2 * inverse * variance * confidence) + (2 / 3) * inverse * confidence;
        const afterMean = (whole.mean * whole.count - before.mean * before.count) / afterCount;
        const difference = afterMean - before.mean;
        if (Math.abs(difference) > bound) return difference > 0 ? 'rise' : 'fall';
      }
    }
    return 'none';
  }

  /** The values in the window. */
  window(): Readonly<Moments> {
    const whole: Moments = { count: 0, mean: 0, squares: 0 };
    for (let i = this.#rows.length - 1; i >= 0; i--) {
      for (const bucket of this.#rows[i]!) include(whole, bucket, 2 ** i);
    }
    return whole;
  }

  state(): AdwinState {
    return { kind: 'adwin', delta: this.#delta, rows: this.#rows.map((row) => [...row]) };
  }
}

/** Of two buckets of `count` values each. */
function merge(older: AdwinBucket, newer: AdwinBucket, count: number): AdwinBucket {
  const difference = (newer.sum - older.sum) / count;
  return {
    sum: older.sum + newer.sum,
    squares: older.squares + newer.squares + (difference * difference * count) / 2,
  };
}

/**
 * Adds a bucket of `bucketCount` values to `moments` (Chan, Golub and LeVeque, Algorithms for computing the sample
 * variance, The American Statistician 37(3), 1983): no difference of large sums, so nothing cancels in a long window.
 */
function include(moments: Moments, bucket: AdwinBucket, bucketCount: number): void {
  const count = moments.count + bucketCount;
  const difference = bucket.sum / bucketCount - moments.mean;
  moments.squares += bucket.squares + (difference * difference * moments.count * bucketCount) / count;
  moments.mean += (difference * bucketCount) / count;
  moments.count = count;
}
