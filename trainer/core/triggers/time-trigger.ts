import { assert } from '@freshet/protocol/assert';
import type { Trigger } from './trigger.ts';

export interface TimeTriggerState {
  readonly kind: 'time';
  readonly periodMs: number;
  /** When the last training began, or the trigger was made. */
  readonly lastMs: number;
}

/** Trains on all that waits, once `periodMs` have passed since the last training; later, if nothing waits then. */
export class TimeTrigger implements Trigger {
  readonly observes = false;
  readonly #periodMs: number;
  #lastMs: number;

  constructor({ periodMs, lastMs }: TimeTriggerState) {
    assert(periodMs > 0, 'a period above 0');
    this.#periodMs = periodMs;
    this.#lastMs = lastMs;
  }

  due(freshCount: number, nowMs: number): number {
    const hasPassed = nowMs - this.#lastMs >= this.#periodMs;
    const wasSetBack = nowMs < this.#lastMs;
    return hasPassed || wasSetBack ? freshCount : 0;
  }

  took(_freshCount: number, nowMs: number): void {
    this.#lastMs = nowMs;
  }

  observe(): void {
    // The period is what it is, however large the loss.
  }

  state(): TimeTriggerState {
    return { kind: 'time', periodMs: this.#periodMs, lastMs: this.#lastMs };
  }
}
