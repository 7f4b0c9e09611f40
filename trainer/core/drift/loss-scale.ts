/**
 * Losses as values in [0, 1], which detectors of drift need, whatever the loss function and its units: the logistic
 * function of (loss − mean) / deviation, both of the first losses. It is a fixed and increasing function from then on, so
 * losses without drift give values without drift.
 */
import { assert } from '@freshet/protocol/assert';

/** Few, so that drift is soon looked for; enough for a scale, which need not be exact. */
const CALIBRATION_LOSSES = 32;

/** A plain value. All losses that the scale is taken from are in it, up to `CALIBRATION_LOSSES`. */
export interface LossScaleState {
  readonly count: number;
  readonly mean: number;
  /** Sum of squared differences from the mean. */
  readonly squares: number;
}

export const EMPTY_LOSS_SCALE: LossScaleState = { count: 0, mean: 0, squares: 0 };

export class LossScale {
  #count: number;
  #mean: number;
  #squares: number;

  constructor({ count, mean, squares }: LossScaleState = EMPTY_LOSS_SCALE) {
    this.#count = count;
    this.#mean = mean;
    this.#squares = squares;
  }

  /** The value of `loss`; null while the scale is taken. */
  valueOf(loss: number): number | null {
    assert(Number.isFinite(loss), 'a loss that is finite: training that diverges ends before');
    if (this.#count < CALIBRATION_LOSSES) {
      this.#include(loss);
      return null;
    }
    const difference = loss - this.#mean;
    const deviation = Math.sqrt(this.#squares / (this.#count - 1));
    // Where all losses were the same, whatever differs differs by infinitely much.
    return difference === 0 ? 0.5 : 1 / (1 + Math.exp(-difference / deviation));
  }

  /** Welford's recurrence (Technometrics 4(3), 1962). */
  #include(loss: number): void {
    this.#count++;
    const difference = loss - this.#mean;
    this.#mean += difference / this.#count;
    this.#squares += difference * (loss - this.#mean);
  }

  state(): LossScaleState {
    return { count: this.#count, mean: this.#mean, squares: this.#squares };
  }
}
