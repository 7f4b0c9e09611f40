/** Which history sampler is wanted, as people say it: `uniform`, `window:20000`, `class-balanced:2000`. */
import { OptionText } from '../option-text.ts';

export type SamplerSpec =
  | { readonly kind: 'uniform'; readonly limit: number | null }
  | { readonly kind: 'window'; readonly count: number }
  | { readonly kind: 'time-decayed'; readonly halfLife: number; readonly limit: number | null }
  | { readonly kind: 'reservoir' | 'class-balanced'; readonly count: number };

/** Arrivals are 32-bit numbers. */
const ARRIVALS = { min: 1, max: 2 ** 32 - 1 };
/** Reservoirs are in memory, and in every checkpoint. */
const KEPT = { min: 1, max: 2 ** 24 };

const FORMS = [
  'uniform',
  'uniform:LIMIT (draw from the newest LIMIT samples)',
  'window:N',
  'time-decayed:HALF_LIFE',
  'time-decayed:HALF_LIFE:LIMIT',
  'reservoir:N',
  'class-balanced:N',
];

/** @throws CONFIG_INVALID naming `option` and what may be written for it */
export function parseSampler(text: string, option = '--sampler'): SamplerSpec {
  const written = new OptionText(option, text, FORMS);
  const { kind } = written;
  switch (kind) {
    case 'uniform':
      written.expectValues(0, 1);
      return { kind, limit: limitOf(written, 0) };
    case 'window':
      written.expectValues(1);
      return { kind, count: written.wholeNumber(0, 'N', ARRIVALS) };
    case 'time-decayed': {
      written.expectValues(1, 2);
      const halfLife = written.wholeNumber(0, 'HALF_LIFE', ARRIVALS);
      return { kind, halfLife, limit: limitOf(written, 1) };
    }
    case 'reservoir':
    case 'class-balanced':
      written.expectValues(1);
      return { kind, count: written.wholeNumber(0, 'N', KEPT) };
    default:
      throw written.refusal(`there is no sampler "${kind}"`);
  }
}

function limitOf(written: OptionText, index: number): number | null {
  return written.values[index] === undefined ? null : written.wholeNumber(index, 'LIMIT', ARRIVALS);
}
