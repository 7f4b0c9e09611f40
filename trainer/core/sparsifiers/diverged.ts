/** Weights that are no numbers are never published. */
import { FreshetError } from '@freshet/protocol/errors';

/** For `throw`, about the trained weight `value` at `index`. */
export function divergedAt(index: number, value: number): FreshetError {
  return new FreshetError(
    'LEARNER_DIVERGED',
    `training diverged: weight ${index} is ${value}; nothing was published. Lower the learning rate and start again`,
    { details: { index } },
  );
}
