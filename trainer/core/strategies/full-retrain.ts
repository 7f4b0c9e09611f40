import { assert } from '@freshet/protocol/assert';
import { type Random, shuffle } from '../random.ts';
import type { HistorySampler } from '../samplers/history-sampler.ts';
import { portions } from './portions.ts';
import type { PlannedBatch, Strategy } from './strategy.ts';

export interface FullRetrainOptions {
  /** From new weights each time, as the baseline of Prapas et al. (2021), or from the present ones. */
  readonly from: 'scratch' | 'warm';
  readonly epochs: number;
  readonly batchCount: number;
}

/**
 * Periodical retraining: `epochs` passes over all of history and the fresh samples, each sample once in each pass, in an
 * order drawn anew for each; the last batch of a pass has what is left. `scratch` throws weights and optimiser state away
 * at each plan, `warm` goes on with both.
 */
export class FullRetrain implements Strategy {
  readonly tests = 'apart';
  readonly restart: Strategy['restart'];
  readonly publishes: Strategy['publishes'];
  readonly #options: FullRetrainOptions;

  constructor(options: FullRetrainOptions) {
    assert(options.epochs >= 1 && options.batchCount >= 1, 'at least one pass, and one sample in a batch');
    this.#options = options;
    this.restart = options.from === 'scratch' ? 'scratch' : 'never';
    this.publishes = options.from === 'scratch' ? 'after-plan' : 'any-time';
  }

  plan(fresh: Uint32Array, sampler: HistorySampler, random: Random): Iterable<PlannedBatch> {
    const history = sampler.all();
    const samples = new Uint32Array(history.length + fresh.length);
    samples.set(history);
    samples.set(fresh, history.length);
    return this.#passes(samples, random);
  }

  *#passes(samples: Uint32Array, random: Random): Generator<PlannedBatch> {
    for (let epoch = 0; epoch < this.#options.epochs; epoch++) {
      shuffle(samples, random);
      for (const portion of portions(samples, this.#options.batchCount)) {
        yield { arrivals: portion.slice(), freshCount: 0 };
      }
    }
  }
}
