import { assert } from '@freshet/protocol/assert';
import type { Published, PublishMoment, PublishPolicy } from './publish-policy.ts';

export interface TimePolicyState {
  readonly kind: 'time';
  readonly periodMs: number;
  /** When it was published last, or the policy was made. */
  readonly lastMs: number;
}

/** Publishes the same share after the first step that ends `periodMs` or more after the last publication. */
export class TimePolicy implements PublishPolicy {
  readonly #periodMs: number;
  readonly #density: number;
  #lastMs: number;

  constructor({ periodMs, lastMs }: TimePolicyState, density: number) {
    assert(periodMs > 0, 'a period above 0');
    assert(density > 0 && density <= 1, 'density in (0, 1]');
    this.#periodMs = periodMs;
    this.#lastMs = lastMs;
    this.#density = density;
  }

  due({ nowMs }: PublishMoment): number | null {
    const wasSetBack = nowMs < this.#lastMs;
    return wasSetBack || nowMs - this.#lastMs >= this.#periodMs ? this.#density : null;
  }

  published({ nowMs }: Published): void {
    this.#lastMs = nowMs;
  }

  state(): TimePolicyState {
    return { kind: 'time', periodMs: this.#periodMs, lastMs: this.#lastMs };
  }
}
