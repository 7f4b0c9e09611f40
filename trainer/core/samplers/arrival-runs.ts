/**
 * A growing set of arrivals from whose old end some are dropped, kept as runs of consecutive numbers: a million arrivals
 * without a gap are two numbers.
 */
import { assert } from '@freshet/protocol/assert';

export interface ArrivalRun {
  readonly first: number;
  readonly count: number;
}

/** Dropped runs are cut off when there are so many: cutting each at once would move all others each time. */
const DROPPED_RUNS_MAX = 1024;

export class ArrivalRuns {
  /** First arrival of each run, ascending. */
  readonly #firsts: number[] = [];
  /** Rank of that arrival among all that were ever appended, so that dropping changes none. */
  readonly #ranks: number[] = [];
  /** Runs before this one have been dropped. */
  #head = 0;
  /** Ranks below have been dropped. */
  #dropped = 0;
  /** Rank of the next one to be appended. */
  #appended = 0;
  #last = -1;

  constructor(runs: readonly ArrivalRun[] = []) {
    for (const { first, count } of runs) {
      assert(count >= 1, 'a run of at least one arrival');
      this.append(first);
      this.#appended += count - 1;
      this.#last += count - 1;
    }
  }

  get size(): number {
    return this.#appended - this.#dropped;
  }

  /** `arrival`: larger than all before. */
  append(arrival: number): void {
    assert(Number.isInteger(arrival) && arrival > this.#last, 'arrivals ascend');
    assert(arrival < 2 ** 32, 'an arrival is below 2^32');
    if (arrival !== this.#last + 1 || this.#head === this.#firsts.length) {
      this.#firsts.push(arrival);
      this.#ranks.push(this.#appended);
    }
    this.#appended++;
    this.#last = arrival;
  }

  /** The arrival before which `index` others are kept: 0 is the oldest. O(log runs). */
  at(index: number): number {
    assert(index >= 0 && index < this.size, 'an index of the set');
    const rank = this.#dropped + index;
    const run = lastAtMost(this.#ranks, this.#head, rank);
    return this.#firsts[run]! + rank - this.#ranks[run]!;
  }

  /** Takes the oldest away and returns it. */
  dropOldest(): number {
    const oldest = this.at(0);
    this.#drop(1);
    return oldest;
  }

  /** Takes all below `arrival` away. */
  dropBelow(arrival: number): void {
    if (this.size === 0 || arrival <= this.at(0)) return;
    const run = lastAtMost(this.#firsts, this.#head, arrival - 1);
    const runEnd = this.#ranks[run + 1] ?? this.#appended;
    const rank = Math.min(this.#ranks[run]! + arrival - this.#firsts[run]!, runEnd);
    this.#drop(rank - this.#dropped);
  }

  #drop(count: number): void {
    this.#dropped += count;
    while (
      this.#head < this.#ranks.length &&
      (this.#ranks[this.#head + 1] ?? this.#appended) <= this.#dropped
    )
      this.#head++;
    if (this.#head < DROPPED_RUNS_MAX || this.#head * 2 < this.#firsts.length) return;
    this.#firsts.splice(0, this.#head);
    this.#ranks.splice(0, this.#head);
    this.#head = 0;
  }

  /** All of them, ascending. A new array. */
  all(): Uint32Array {
    const arrivals = new Uint32Array(this.size);
    let next = 0;
    for (const { first, count } of this.runs()) {
      for (let i = 0; i < count; i++) arrivals[next++] = first + i;
    }
    return arrivals;
  }

  /** What the constructor takes. Of the same set there is one such list only. */
  runs(): ArrivalRun[] {
    const runs: ArrivalRun[] = [];
    for (let run = this.#head; run < this.#firsts.length; run++) {
      const rank = this.#ranks[run]!;
      const from = Math.max(rank, this.#dropped);
      const end = this.#ranks[run + 1] ?? this.#appended;
      runs.push({ first: this.#firsts[run]! + from - rank, count: end - from });
    }
    return runs;
  }
}

/** Position of the last of ascending `values`, from `start` on, that is at most `bound`. The first one is. */
function lastAtMost(values: readonly number[], start: number, bound: number): number {
  let low = start;
  let high = values.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if (values[middle]! <= bound) low = middle;
    else high = middle - 1;
  }
  return low;
}
