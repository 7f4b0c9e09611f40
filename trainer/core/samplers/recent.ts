/**
 * Uniform draws from the newest samples: from all that there are (`uniform`, as in Prapas et al. 2021, up to a limit of
 * what is kept), or from a window (`window`, the window-based sampling of Derakhshan et al., Continuous Deployment of
 * Machine Learning Pipelines, EDBT 2019). The state is a handful of numbers, however many samples there are.
 */
import { assert } from '@freshet/protocol/assert';
import type { Random } from '../random.ts';
import { type ArrivalRun, ArrivalRuns } from './arrival-runs.ts';
import { distinctIntegers } from './distinct-integers.ts';
import type { HistorySampler } from './history-sampler.ts';

/** `limit`: samples kept at most; null: all. */
type RecentForm =
  | { readonly kind: 'uniform'; readonly limit: number | null }
  | { readonly kind: 'window'; readonly limit: number };

export type RecentState = RecentForm & { readonly runs: readonly ArrivalRun[] };

export class RecentSampler implements HistorySampler {
  readonly usesLabels = false;
  readonly #form: RecentForm;
  readonly #arrivals: ArrivalRuns;

  constructor({ runs, ...form }: RecentState) {
    assert(form.limit === null || form.limit >= 1, 'a limit of at least one sample');
    this.#form = form;
    this.#arrivals = new ArrivalRuns(runs);
  }

  get size(): number {
    return this.#arrivals.size;
  }

  add(arrival: number): readonly number[] {
    this.#arrivals.append(arrival);
    const { limit } = this.#form;
    return limit !== null && this.size > limit ? [this.#arrivals.dropOldest()] : [];
  }

  draw(count: number, random: Random): Uint32Array {
    const indices = distinctIntegers(this.size, Math.min(count, this.size), random);
    return Uint32Array.from(indices, (index) => this.#arrivals.at(index));
  }

  all(): Uint32Array {
    return this.#arrivals.all();
  }

  dropBelow(arrival: number): void {
    this.#arrivals.dropBelow(arrival);
  }

  state(): RecentState {
    return { ...this.#form, runs: this.#arrivals.runs() };
  }
}
