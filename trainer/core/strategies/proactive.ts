import { assert } from '@freshet/protocol/assert';
import type { Random } from '../random.ts';
import type { HistorySampler } from '../samplers/history-sampler.ts';
import { portions } from './portions.ts';
import type { PlannedBatch, Strategy } from './strategy.ts';

export interface ProactiveOptions {
  /** b: samples of a batch. */
  readonly batchCount: number;
  /** t: fresh ones among them, at most b. */
  readonly freshCount: number;
}

/**
 * Proactive training (Prapas et al., Continuous Training and Deployment of Deep Learning Models, 2021, algorithm 1): each
 * batch has the t oldest fresh samples and b − t drawn from history, so that the model follows the stream without
 * forgetting. The last batch of a plan may have fewer fresh ones, and more of history instead; batches are smaller while
 * history has too few.
 */
export class Proactive implements Strategy {
  readonly tests = 'in-batches';
  readonly restart = 'never';
  readonly publishes = 'any-time';
  readonly #options: ProactiveOptions;

  constructor(options: ProactiveOptions) {
    assert(
      options.freshCount >= 1 && options.batchCount >= options.freshCount,
      'a batch holds the fresh samples',
    );
    this.#options = options;
  }

  *plan(fresh: Uint32Array, sampler: HistorySampler, random: Random): Generator<PlannedBatch> {
    const { batchCount, freshCount } = this.#options;
    for (const portion of portions(fresh, freshCount)) {
      const drawn = sampler.draw(batchCount - portion.length, random);
      const arrivals = new Uint32Array(portion.length + drawn.length);
      arrivals.set(portion);
      arrivals.set(drawn, portion.length);
      yield { arrivals, freshCount: portion.length };
    }
  }
}
