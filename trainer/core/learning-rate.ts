/**
 * The learning rate as a function of the step on the stream. Going over from the initial training, an optimiser whose
 * state fits yesterday's gradients takes its first steps on a new kind of batch at full length; a linear warm-up
 * (Goyal et al., "Accurate, Large Minibatch SGD", 2017, section 2.2) lets the state settle first.
 */
import { assert } from '@freshet/protocol/assert';
import { FreshetError } from '@freshet/protocol/errors';

export interface WarmUp {
  /** Steps until the full rate; 0: no warm-up. */
  readonly steps: number;
  /** Share of the full rate that the first step gets, in [0, 1]. */
  readonly from: number;
}

export const NO_WARM_UP: WarmUp = { steps: 0, from: 1 };

/** Where a warm-up begins when nothing is said: the first step counts for something. */
const FROM_DEFAULT = 0.01;

/**
 * The rate of step `step` on the stream, from 0: it rises linearly from `from`·`fullRate` at step 0 to `fullRate` at
 * step `steps`, and stays there.
 */
export function learningRateAt(step: number, fullRate: number, { steps, from }: WarmUp): number {
  assert(Number.isInteger(step) && step >= 0, 'steps count from 0');
  if (step >= steps) return fullRate;
  return fullRate * (from + ((1 - from) * step) / steps);
}

const WARM_UP = /^(\d{1,9})(?::(0|1|[01]?\.\d+))?$/;

/**
 * Reads `200` or `200:0.1`: the number of steps, and the share of the full rate that the first one gets (0.01).
 * @throws CONFIG_INVALID
 */
export function parseWarmUp(text: string): WarmUp {
  const match = WARM_UP.exec(text);
  const from = match?.[2] === undefined ? FROM_DEFAULT : Number(match[2]);
  if (match === null || from > 1) {
    throw new FreshetError(
      'CONFIG_INVALID',
      `"${text}" is no warm-up: write a number of steps, as 200, or with the share of the learning rate that the ` +
        'first one gets, from 0 to 1, as 200:0.1; 0 for no warm-up',
    );
  }
  return { steps: Number(match[1]), from };
}
