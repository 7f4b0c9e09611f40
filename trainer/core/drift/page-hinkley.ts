/**
 * The Page–Hinkley test for a change of a mean (Page, Continuous inspection schemes, Biometrika 41, 1954; Hinkley,
 * Inference about the change-point from cumulative sum tests, Biometrika 58, 1971; in this form in Gama, Sebastião and
 * Rodrigues, On evaluating stream learning algorithms, Machine Learning 90, 2013), for both directions.
 *
 * With m_T = Σ_{t ≤ T} (x_t − mean_t − δ), mean_t that of x_1 … x_t, there is a rise when m_T − min_{t ≤ T} m_t > λ. What
 * is kept is that difference itself, g ← max(0, g + x − mean − δ): the same value, without a sum that grows for ever.
 * Likewise for a fall with mean − x. After a change everything starts anew.
 *
 * δ is the change that does not matter, half the smallest that one wants to see; a jump by Δ is seen after about
 * λ / (Δ − δ) values. Without a change, g exceeds λ on one of its ways up from 0 with a chance of about
 * e^(−2δλ / σ²), σ² the variance of a value.
 */
import { assert } from '@freshet/protocol/assert';
import type { DriftChange, DriftDetector } from './drift-detector.ts';

export interface PageHinkleyState {
  readonly kind: 'page-hinkley';
  /** δ */
  readonly delta: number;
  /** λ */
  readonly threshold: number;
  /** Values since the last change. */
  readonly count: number;
  readonly mean: number;
  /** g of a rise and of a fall. */
  readonly risen: number;
  readonly fallen: number;
}

/** With fewer values their mean says little. The default of MOA and River. */
const COUNT_MIN = 30;

export class PageHinkley implements DriftDetector {
  readonly #delta: number;
  readonly #threshold: number;
  #count: number;
  #mean: number;
  #risen: number;
  #fallen: number;

  constructor({ delta, threshold, count, mean, risen, fallen }: PageHinkleyState) {
    assert(delta >= 0 && threshold > 0, 'a tolerance of at least 0 and a threshold above it');
    this.#delta = delta;
    this.#threshold = threshold;
    this.#count = count;
    this.#mean = mean;
    this.#risen = risen;
    this.#fallen = fallen;
  }

  add(value: number): DriftChange {
    assert(Number.isFinite(value), 'a mean of finite values');
    this.#count++;
    this.#mean += (value - this.#mean) / this.#count;
    this.#risen = Math.max(0, this.#risen + value - this.#mean - this.#delta);
    this.#fallen = Math.max(0, this.#fallen + this.#mean - value - this.#delta);
    if (this.#count < COUNT_MIN) return 'none';
    const change = this.#change();
    if (change !== 'none') this.#forget();
    return change;
  }

  #change(): DriftChange {
    if (this.#risen > this.#threshold) return 'rise';
    return this.#fallen > this.#threshold ? 'fall' : 'none';
  }

  #forget(): void {
    this.#count = 0;
    this.#mean = 0;
    this.#risen = 0;
    this.#fallen = 0;
  }

  state(): PageHinkleyState {
    return {
      kind: 'page-hinkley',
      delta: this.#delta,
      threshold: this.#threshold,
      count: this.#count,
      mean: this.#mean,
      risen: this.#risen,
      fallen: this.#fallen,
    };
  }
}
