/** The failure that ended a learner, as an error: for whoever waits for it. */
import { FreshetError } from '@freshet/protocol/errors';
import type { LearnerStatus } from './learner-process.ts';

/** Null while there is none. */
export function learnerFailure({ state, failure }: LearnerStatus): FreshetError | null {
  return state === 'failed' && failure !== null ? new FreshetError(failure.code, failure.message) : null;
}
