/** Which trigger is wanted, as people say it: `samples:8`, `time:500`, `drift:adwin`. */
import { DRIFT_DETECTOR_NAMES, type DriftDetectorName } from '../drift/create-detector.ts';
import { OptionText } from '../option-text.ts';
import type { DriftPortions } from './drift-trigger.ts';

export type TriggerSpec =
  | { readonly kind: 'samples'; readonly count: number }
  | { readonly kind: 'time'; readonly periodMs: number }
  | ({ readonly kind: 'drift'; readonly detector: DriftDetectorName } & DriftPortions);

const SAMPLES = { min: 1, max: 2 ** 32 - 1 };
const DAY_MS = 24 * 60 * 60 * 1000;

const QUIET_COUNT = 1024;
const ALERT_COUNT = 8;

const FORMS = [
  'samples:N',
  'time:MS',
  'drift:adwin',
  'drift:page-hinkley',
  'drift:DETECTOR:N:T (train every N samples, and every T for the N after a drift)',
];

/** @throws CONFIG_INVALID naming `option` and what may be written for it */
export function parseTrigger(text: string, option = '--trigger'): TriggerSpec {
  const written = new OptionText(option, text, FORMS);
  const { kind } = written;
  switch (kind) {
    case 'samples':
      written.expectValues(1);
      return { kind, count: written.wholeNumber(0, 'N', SAMPLES) };
    case 'time':
      written.expectValues(1);
      return { kind, periodMs: written.wholeNumber(0, 'MS', { min: 1, max: 365 * DAY_MS }) };
    case 'drift': {
      written.expectValues(1, 3);
      const quietCount = written.wholeNumber(1, 'N', SAMPLES, QUIET_COUNT);
      const alertCount = written.wholeNumber(2, 'T', SAMPLES, Math.min(ALERT_COUNT, quietCount));
      if (alertCount > quietCount) throw written.refusal('T must be at most N');
      return { kind, detector: detectorOf(written), quietCount, alertCount };
    }
    default:
      throw written.refusal(`there is no trigger "${kind}"`);
  }
}

function detectorOf(written: OptionText): DriftDetectorName {
  const detector = DRIFT_DETECTOR_NAMES.find((name) => name === written.values[0]);
  if (detector === undefined) throw written.refusal(`there is no drift detector "${written.values[0]}"`);
  return detector;
}
