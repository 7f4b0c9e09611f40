/**
 * What says when to train. *Fresh* samples are those that have arrived and have not been trained on.
 *
 * Times are milliseconds of the wall clock (`Date.now()`), so that they mean the same after a restart. A clock that is
 * set back makes a time-bound trigger fire once too early, never too late.
 */
import type { DriftTriggerState } from './drift-trigger.ts';
import type { SamplesTriggerState } from './samples-trigger.ts';
import type { TimeTriggerState } from './time-trigger.ts';

/** A plain value: it survives a structured clone, and JSON. */
export type TriggerState = SamplesTriggerState | TimeTriggerState | DriftTriggerState;

export interface Trigger {
  /** Whether it needs `observe`: fresh samples must then be predicted as they arrive, before anything trains on them. */
  readonly observes: boolean;

  /**
   * How many fresh samples, the oldest first, a training takes now, when `freshCount` are waiting at `nowMs`; 0: wait.
   * A question only: it changes nothing.
   */
  due(freshCount: number, nowMs: number): number;

  /**
   * A training takes `freshCount` samples at `nowMs`. To be told of each, also of those that a killed run repeats by what
   * it has on record instead of by `due`.
   */
  took(freshCount: number, nowMs: number): void;

  /** The model's loss on fresh samples, in order: of one each time, or the mean of groups of the same size. Finite. */
  observe(loss: number): void;

  /** All there is to it; `restoreTrigger` goes on from there as this one would have. A new value. */
  state(): TriggerState;
}
