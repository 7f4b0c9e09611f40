/**
 * Publishes what a budget of bytes per second lets through: a token bucket of bytes, which fills at the rate of the budget
 * up to `burstMs` of it (or to two of the least deltas worth sending, where that is more), and which each delta takes its
 * size out of. Density follows from what is in the bucket and from what a value has cost in the last deltas, since a
 * delta's size is known only once it is encoded.
 *
 * A delta that turns out larger than what was in the bucket leaves a debt, and nothing is published until it is paid. So
 * any t seconds carry at most rate · t bytes and a full bucket, plus what one delta was misjudged by; and while there is
 * always something to publish, the rate is used up. A trainer whose steps take longer than the burst leaves some of it
 * unused: what does not fit into the bucket is lost.
 */
import { assert } from '@freshet/protocol/assert';
import { DELTA_PAYLOAD_BYTES_MAX } from '@freshet/protocol/limits';
import type { Published, PublishMoment, PublishPolicy } from './publish-policy.ts';

export interface ByteBudget {
  readonly bytesPerSecond: number;
  /** The bucket holds what the budget gives in this time. */
  readonly burstMs: number;
}

export interface BudgetPolicyState extends ByteBudget {
  readonly kind: 'budget';
  /** In the bucket at `filledMs`; below 0: a debt. */
  readonly bytes: number;
  readonly filledMs: number;
  /** When it was published last, or the policy was made. */
  readonly lastMs: number;
  /** Bytes per value of the last deltas, the newest last. */
  readonly valueBytes: readonly number[];
}

export interface DeltaSizes {
  /** Weights of the model. */
  readonly weightCount: number;
  /** Bytes of a delta on the wire before its first value: frame, root, signature, header. */
  readonly fixedBytes: number;
}

/** So many deltas are looked back on. The most expensive of them is what the next one is expected to be. */
const REMEMBERED_DELTAS = 4;
/** Share of the bucket that is not planned with, for values that cost more than they ever did in those deltas. */
const HEADROOM = 0.03;
/** Before the first delta: an index and a value of 32 bits each, more than the format takes. */
const FIRST_VALUE_BYTES = 8;
/** Publishing more often makes nothing fresher that one could tell, and costs the trainer time. */
const PERIOD_MS_MIN = 250;
/** Smaller deltas would spend more than a tenth of the budget on what comes before the first value. */
const FIXED_PARTS_MIN = 10;
/** A smaller delta, in multiples of its fixed part, tells nothing about values: it is mostly something else. */
const TELLING_PARTS_MIN = 1.25;
/** Half of what a message holds, since what values will cost is an estimate. */
const DELTA_BYTES_MAX = DELTA_PAYLOAD_BYTES_MAX / 2;

/** With an empty bucket: a policy that is made again and again gives nothing away. */
export function budgetPolicyStart(budget: ByteBudget, nowMs: number): BudgetPolicyState {
  return { kind: 'budget', ...budget, bytes: 0, filledMs: nowMs, lastMs: nowMs, valueBytes: [] };
}

export class BudgetPolicy implements PublishPolicy {
  readonly #budget: ByteBudget;
  readonly #sizes: DeltaSizes;
  readonly #deltaBytesMin: number;
  readonly #bytesMax: number;
  readonly #valueBytes: number[];
  #bytes: number;
  #filledMs: number;
  #lastMs: number;

  constructor({ bytesPerSecond, burstMs, ...state }: BudgetPolicyState, sizes: DeltaSizes) {
    assert(bytesPerSecond > 0 && burstMs >= PERIOD_MS_MIN, 'a budget above 0, and a burst of a period');
    assert(sizes.weightCount >= 1 && sizes.fixedBytes >= 0, 'a model with weights');
    this.#budget = { bytesPerSecond, burstMs };
    this.#sizes = sizes;
    this.#deltaBytesMin = Math.max(
      FIXED_PARTS_MIN * sizes.fixedBytes,
      (bytesPerSecond * PERIOD_MS_MIN) / 1000,
    );
    // Room for what comes in during the step in which a delta of the least size has come together.
    this.#bytesMax = Math.max(2 * this.#deltaBytesMin, (bytesPerSecond * burstMs) / 1000);
    this.#bytes = state.bytes;
    this.#filledMs = state.filledMs;
    this.#lastMs = state.lastMs;
    this.#valueBytes = [...state.valueBytes];
  }

  due({ nowMs }: PublishMoment): number | null {
    this.#fill(nowMs);
    if (nowMs - this.#lastMs < PERIOD_MS_MIN || this.#bytes < this.#deltaBytesMin) return null;
    const { weightCount, fixedBytes } = this.#sizes;
    const expected = this.#valueBytes.length === 0 ? FIRST_VALUE_BYTES : Math.max(...this.#valueBytes);
    const available = Math.min(this.#bytes * (1 - HEADROOM), DELTA_BYTES_MAX) - fixedBytes;
    const count = Math.min(Math.floor(available / expected), weightCount);
    return count >= 1 ? count / weightCount : null;
  }

  published({ nowMs, changedCount, bytes }: Published): void {
    assert(changedCount > 0 === bytes > 0, 'bytes are sent when values have changed, and only then');
    this.#fill(nowMs);
    this.#lastMs = nowMs;
    this.#bytes -= bytes;
    const { fixedBytes } = this.#sizes;
    if (changedCount === 0 || bytes < TELLING_PARTS_MIN * fixedBytes) return;
    this.#valueBytes.push((bytes - fixedBytes) / changedCount);
    if (this.#valueBytes.length > REMEMBERED_DELTAS) this.#valueBytes.shift();
  }

  /** Puts into the bucket what the time since gives. A clock that was set back gives nothing, and counts from there. */
  #fill(nowMs: number): void {
    const elapsedMs = Math.max(0, nowMs - this.#filledMs);
    this.#bytes = Math.min(this.#bytesMax, this.#bytes + (this.#budget.bytesPerSecond * elapsedMs) / 1000);
    this.#filledMs = nowMs;
    this.#lastMs = Math.min(this.#lastMs, nowMs);
  }

  state(): BudgetPolicyState {
    return {
      kind: 'budget',
      ...this.#budget,
      bytes: this.#bytes,
      filledMs: this.#filledMs,
      lastMs: this.#lastMs,
      valueBytes: [...this.#valueBytes],
    };
  }
}
