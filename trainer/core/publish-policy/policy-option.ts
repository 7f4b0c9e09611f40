/** When to publish, as people say it: `steps:5`, `time:1000`, `budget:20kB/s`. */
import { OptionText } from '../option-text.ts';
import type { ByteBudget } from './budget-policy.ts';
import { BYTE_RATE_FORMS, byteRate } from './byte-rate.ts';

export type PublishPolicySpec =
  | { readonly kind: 'steps'; readonly everySteps: number }
  | { readonly kind: 'time'; readonly periodMs: number }
  | ({ readonly kind: 'budget' } & ByteBudget);

const STEPS = { min: 1, max: 1e9 };
const DAY_MS = 24 * 60 * 60 * 1000;
const PERIOD_MS = { min: 1, max: 365 * DAY_MS };
/** A shorter burst would not let through what the budget gives between two publications. */
const BURST_MS = { min: 1000, max: DAY_MS };
/** Longer than a step takes on most machines, and short enough for a link not to notice. */
const BURST_MS_DEFAULT = 2000;

const FORMS = ['steps:N', 'time:MS', 'budget:RATE', 'budget:RATE:BURST_MS (RATE as in 20kB/s or 256kbit/s)'];

/** @throws CONFIG_INVALID naming `option` and what may be written for it */
export function parsePublishPolicy(text: string, option = '--publish'): PublishPolicySpec {
  const written = new OptionText(option, text, FORMS);
  const { kind } = written;
  switch (kind) {
    case 'steps':
      written.expectValues(1);
      return { kind, everySteps: written.wholeNumber(0, 'N', STEPS) };
    case 'time':
      written.expectValues(1);
      return { kind, periodMs: written.wholeNumber(0, 'MS', PERIOD_MS) };
    case 'budget': {
      written.expectValues(1, 2);
      const bytesPerSecond = byteRate(written.values[0] ?? '', written);
      return {
        kind,
        bytesPerSecond,
        burstMs: written.wholeNumber(1, 'BURST_MS', BURST_MS, BURST_MS_DEFAULT),
      };
    }
    default:
      throw written.refusal(`there is no publish policy "${kind}"`);
  }
}

/** A budget as an option of its own: `--budget 20kB/s`. @throws CONFIG_INVALID */
export function parseBudget(text: string, option = '--budget'): PublishPolicySpec {
  const written = new OptionText(option, text, BYTE_RATE_FORMS);
  return { kind: 'budget', bytesPerSecond: byteRate(text, written), burstMs: BURST_MS_DEFAULT };
}
