/**
 * Which samples a proactive training step takes: the newest ones, and a uniform draw from everything before them, so
 * that the model follows the stream without forgetting (Prapas et al., Continuous Training and Deployment of Deep
 * Learning Models, 2021).
 */

import { assert } from '@freshet/protocol/assert';
import type { Random } from './random.ts';
import { distinctIntegers } from './samplers/distinct-integers.ts';

export interface BatchComposition {
  /** Samples that have been trained on before: indices [0, historyCount), in order of arrival. */
  readonly historyCount: number;
  /** t: samples that arrived since, indices [historyCount, historyCount + freshCount). All of them are taken. */
  readonly freshCount: number;
  /** b: samples in the batch, at least t. It is smaller while history has fewer than b − t. */
  readonly batchCount: number;
}

/**
 * Indices of the batch: the fresh samples first, in order, then b − t of history (all of it where it has fewer), each
 * at most once. The order of the second part carries no meaning. A new array.
 */
export function selectBatch(composition: BatchComposition, random: Random): Uint32Array {
  const { historyCount, freshCount, batchCount } = composition;
  assert(historyCount >= 0 && freshCount >= 0 && batchCount >= freshCount, 'a batch holds the fresh samples');
  const drawn = distinctIntegers(historyCount, Math.min(batchCount - freshCount, historyCount), random);
  const indices = new Uint32Array(freshCount + drawn.size);
  for (let i = 0; i < freshCount; i++) indices[i] = historyCount + i;
  indices.set([...drawn], freshCount);
  return indices;
}
