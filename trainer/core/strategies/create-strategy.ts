/** The strategies by their kinds, and the trigger that each is used with where none is asked for. */
import { unreachable } from '@freshet/protocol/assert';
import type { TriggerSpec } from '../triggers/trigger-option.ts';
import { Frozen } from './frozen.ts';
import { FullRetrain } from './full-retrain.ts';
import { Online } from './online.ts';
import { Proactive, type ProactiveOptions } from './proactive.ts';
import type { Strategy } from './strategy.ts';
import type { StrategySpec } from './strategy-option.ts';

/** Samples between two retrainings in Prapas et al. (2021). */
const RETRAIN_EVERY_SAMPLES = 10_000;

/** `options.freshCount` matters to `proactive` only. */
export function createStrategy(spec: StrategySpec, options: ProactiveOptions): Strategy {
  switch (spec.kind) {
    case 'proactive':
      return new Proactive(options);
    case 'online':
      return new Online(options.batchCount);
    case 'full-retrain':
      return new FullRetrain({ ...spec, batchCount: options.batchCount });
    case 'frozen':
      return new Frozen();
    default:
      return unreachable(spec);
  }
}

/** As in the paper: every t samples, every b, every 10,000; frozen looks at what arrives b at a time. */
export function defaultTrigger(spec: StrategySpec, options: ProactiveOptions): TriggerSpec {
  switch (spec.kind) {
    case 'proactive':
      return { kind: 'samples', count: options.freshCount };
    case 'online':
    case 'frozen':
      return { kind: 'samples', count: options.batchCount };
    case 'full-retrain':
      return { kind: 'samples', count: RETRAIN_EVERY_SAMPLES };
    default:
      return unreachable(spec);
  }
}
