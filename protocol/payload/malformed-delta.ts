import { FreshetError } from '../errors.ts';

/** A payload that no encoder writes. */
export function malformedDelta(what: string): FreshetError {
  return new FreshetError('DELTA_MALFORMED', `malformed delta payload: ${what}`);
}
