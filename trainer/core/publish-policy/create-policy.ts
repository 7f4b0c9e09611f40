/** The publish policies by their kinds. */
import { unreachable } from '@freshet/protocol/assert';
import { BudgetPolicy, budgetPolicyStart, type DeltaSizes } from './budget-policy.ts';
import type { PublishPolicySpec } from './policy-option.ts';
import type { PublishPolicy, PublishPolicyState } from './publish-policy.ts';
import { StepsPolicy } from './steps-policy.ts';
import { TimePolicy } from './time-policy.ts';

export interface PublishPolicyOptions extends DeltaSizes {
  /** Share of the weights in a delta, in (0, 1], where no budget says it. */
  readonly density: number;
}

/** A policy before the first step. `nowMs`: when a first period begins. */
export function createPublishPolicy(
  spec: PublishPolicySpec,
  options: PublishPolicyOptions,
  nowMs: number,
): PublishPolicy {
  return restorePublishPolicy(policyStart(spec, nowMs), options);
}

function policyStart(spec: PublishPolicySpec, nowMs: number): PublishPolicyState {
  switch (spec.kind) {
    case 'steps':
      return spec;
    case 'time':
      return { ...spec, lastMs: nowMs };
    case 'budget':
      return budgetPolicyStart(spec, nowMs);
    default:
      return unreachable(spec);
  }
}

/** Goes on from what `state()` gave; `state` is not kept. */
export function restorePublishPolicy(
  state: PublishPolicyState,
  options: PublishPolicyOptions,
): PublishPolicy {
  switch (state.kind) {
    case 'steps':
      return new StepsPolicy(state, options.density);
    case 'time':
      return new TimePolicy(state, options.density);
    case 'budget':
      return new BudgetPolicy(state, options);
    default:
      return unreachable(state);
  }
}

/** What a policy of `state` was made of. */
export function publishPolicySpecOf(state: PublishPolicyState): PublishPolicySpec {
  switch (state.kind) {
    case 'steps':
      return { kind: state.kind, everySteps: state.everySteps };
    case 'time':
      return { kind: state.kind, periodMs: state.periodMs };
    case 'budget':
      return { kind: state.kind, bytesPerSecond: state.bytesPerSecond, burstMs: state.burstMs };
    default:
      return unreachable(state);
  }
}
