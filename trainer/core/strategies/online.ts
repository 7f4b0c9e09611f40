import { assert } from '@freshet/protocol/assert';
import { portions } from './portions.ts';
import type { PlannedBatch, Strategy } from './strategy.ts';

/** Online learning: each sample is trained on once, in batches of up to `batchCount`, and history is never looked at. */
export class Online implements Strategy {
  readonly tests = 'in-batches';
  readonly restart = 'never';
  readonly publishes = 'any-time';
  readonly #batchCount: number;

  constructor(batchCount: number) {
    assert(batchCount >= 1, 'a batch of at least one sample');
    this.#batchCount = batchCount;
  }

  *plan(fresh: Uint32Array): Generator<PlannedBatch> {
    for (const portion of portions(fresh, this.#batchCount)) {
      yield { arrivals: portion.slice(), freshCount: portion.length };
    }
  }
}
