/** The triggers by their kinds. */
import { unreachable } from '@freshet/protocol/assert';
import { DriftTrigger, driftTriggerStart } from './drift-trigger.ts';
import { SamplesTrigger } from './samples-trigger.ts';
import { TimeTrigger } from './time-trigger.ts';
import type { Trigger, TriggerState } from './trigger.ts';
import type { TriggerSpec } from './trigger-option.ts';

/** A trigger before the first sample. `nowMs`: when a first period begins. */
export function createTrigger(spec: TriggerSpec, nowMs: number): Trigger {
  return restoreTrigger(triggerStart(spec, nowMs));
}

function triggerStart(spec: TriggerSpec, nowMs: number): TriggerState {
  switch (spec.kind) {
    case 'samples':
      return spec;
    case 'time':
      return { ...spec, lastMs: nowMs };
    case 'drift': {
      const { detector, quietCount, alertCount } = spec;
      return driftTriggerStart(detector, { quietCount, alertCount });
    }
    default:
      return unreachable(spec);
  }
}

/** Goes on from what `state()` gave; `state` is not kept. */
export function restoreTrigger(state: TriggerState): Trigger {
  switch (state.kind) {
    case 'samples':
      return new SamplesTrigger(state);
    case 'time':
      return new TimeTrigger(state);
    case 'drift':
      return new DriftTrigger(state);
    default:
      return unreachable(state);
  }
}

/** What a trigger of `state` was made of. */
export function triggerSpecOf(state: TriggerState): TriggerSpec {
  switch (state.kind) {
    case 'samples':
      return { kind: state.kind, count: state.count };
    case 'time':
      return { kind: state.kind, periodMs: state.periodMs };
    case 'drift': {
      const { quietCount, alertCount } = state;
      return { kind: state.kind, detector: state.detector.kind, quietCount, alertCount };
    }
    default:
      return unreachable(state);
  }
}
