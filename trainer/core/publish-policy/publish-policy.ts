/**
 * What says when to publish, and how much: the share of the weights that the next delta carries. What it does not carry
 * stays in the residual.
 *
 * Times are milliseconds of the wall clock (`Date.now()`), so that they mean the same after a restart. A clock that is
 * set back costs no more than one period.
 */
import type { BudgetPolicyState } from './budget-policy.ts';
import type { StepsPolicyState } from './steps-policy.ts';
import type { TimePolicyState } from './time-policy.ts';

/** A plain value: it survives a structured clone, and JSON. */
export type PublishPolicyState = StepsPolicyState | TimePolicyState | BudgetPolicyState;

/** Between two training steps. */
export interface PublishMoment {
  /** Steps on the stream so far. */
  readonly step: number;
  readonly nowMs: number;
}

export interface Published extends PublishMoment {
  /** Weights that the delta changed; 0: there was nothing to publish, and nothing was sent. */
  readonly changedCount: number;
  /** What it costs on the wire to each agent, frame and proof included; 0 when nothing was sent. */
  readonly bytes: number;
}

export interface PublishPolicy {
  /** Share of the weights to publish now, in (0, 1], or null: not now. Asking twice is the same as asking once. */
  due(moment: PublishMoment): number | null;

  /** A delta was published, or there was none. To be told of each, also of those that a killed run repeats. */
  published(published: Published): void;

  /** All there is to it; `restorePublishPolicy` goes on from there as this one would have. A new value. */
  state(): PublishPolicyState;
}
