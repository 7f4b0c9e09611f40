/**
 * Draws that favour what is new, for a stream that drifts: the time-based sampling of Derakhshan et al. (Continuous
 * Deployment of Machine Learning Pipelines, EDBT 2019). They leave the shape of the weights open (their code takes
 * weights that grow linearly with the rank in time); here a sample weighs 2^(−age / halfLife), its *age* being the number
 * of samples of history after it, so that how fast the past fades does not depend on how much of it is kept.
 */
import { assert } from '@freshet/protocol/assert';
import type { Random } from '../random.ts';
import { type ArrivalRun, ArrivalRuns } from './arrival-runs.ts';
import type { HistorySampler } from './history-sampler.ts';
import { unitReal } from './unit-real.ts';

export interface TimeDecayedState {
  readonly kind: 'time-decayed';
  /** Samples after which a weight has halved. */
  readonly halfLife: number;
  /** Samples kept at most; null: all. */
  readonly limit: number | null;
  readonly runs: readonly ArrivalRun[];
}

export class TimeDecayedSampler implements HistorySampler {
  readonly usesLabels = false;
  readonly #halfLife: number;
  readonly #limit: number | null;
  readonly #arrivals: ArrivalRuns;

  constructor({ halfLife, limit, runs }: TimeDecayedState) {
    assert(halfLife > 0, 'a half-life above 0');
    assert(limit === null || limit >= 1, 'a limit of at least one sample');
    this.#halfLife = halfLife;
    this.#limit = limit;
    this.#arrivals = new ArrivalRuns(runs);
  }

  get size(): number {
    return this.#arrivals.size;
  }

  add(arrival: number): readonly number[] {
    this.#arrivals.append(arrival);
    return this.#limit !== null && this.size > this.#limit ? [this.#arrivals.dropOldest()] : [];
  }

  draw(count: number, random: Random): Uint32Array {
    const { size } = this;
    const ages = decayedAges(size, Math.min(count, size), Math.LN2 / this.#halfLife, random);
    return Uint32Array.from(ages, (age) => this.#arrivals.at(size - 1 - age));
  }

  all(): Uint32Array {
    return this.#arrivals.all();
  }

  dropBelow(arrival: number): void {
    this.#arrivals.dropBelow(arrival);
  }

  state(): TimeDecayedState {
    return {
      kind: 'time-decayed',
      halfLife: this.#halfLife,
      limit: this.#limit,
      runs: this.#arrivals.runs(),
    };
  }
}

/**
 * `count` different ages below `bound`, one after the other, each with probability proportional to e^(−rate · age) among
 * those that are left (the weighted sampling without replacement of Efraimidis and Spirakis, 2006).
 *
 * An age is drawn by inversion of the truncated geometric distribution and drawn again when it is taken already; which is
 * the same as drawing among those left. Weights fall by the same factor everywhere, so the range can start at the newest
 * age that is left without changing that: then a short half-life, whose few heavy ages are soon all taken, does not mean
 * ever more attempts.
 */
function decayedAges(bound: number, count: number, rate: number, random: Random): Set<number> {
  const chosen = new Set<number>();
  let newest = 0;
  // 1 − e^(−rate · n) without cancellation: the share of all ages that is below n.
  let mass = -Math.expm1(-rate * bound);
  while (chosen.size < count) {
    const offset = Math.floor(-Math.log1p(-unitReal(random) * mass) / rate);
    chosen.add(newest + Math.min(offset, bound - newest - 1));
    if (!chosen.has(newest)) continue;
    while (chosen.has(newest)) newest++;
    mass = -Math.expm1(-rate * (bound - newest));
  }
  return chosen;
}
