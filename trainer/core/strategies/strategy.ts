/**
 * What says which samples to train on, once a trigger says that it is time. Strategies have no state: the sampler and the
 * random source have it.
 */
import type { Random } from '../random.ts';
import type { HistorySampler } from '../samplers/history-sampler.ts';

/** One step of training. */
export interface PlannedBatch {
  /** Samples of the step, each at most once; the fresh ones first, in order of arrival. */
  readonly arrivals: Uint32Array;
  /**
   * How many of the first of them the model has neither trained on nor been tested on: predictions of the forward pass of
   * this step count for prequential accuracy. 0 where the strategy tests `apart`.
   */
  readonly freshCount: number;
}

export interface Strategy {
  /**
   * Where fresh samples are predicted for the first time: in the batches that train on them, in the same forward pass; or
   * apart from training, before `plan` is asked for.
   */
  readonly tests: 'in-batches' | 'apart';

  /**
   * `scratch`: before the first batch of each plan the model starts anew, with initial weights drawn as at the beginning,
   * an optimiser without state and the learning-rate schedule from its start.
   */
  readonly restart: 'never' | 'scratch';

  /**
   * When weights are worth publishing: after any batch, or, because those in between are those of a model that has only
   * begun to learn, after the last batch of a plan.
   */
  readonly publishes: 'any-time' | 'after-plan';

  /**
   * The batches to train on now that `fresh` (ascending, newer than all of history) are due. To be iterated over once,
   * training on each batch before the next is asked for; after each, its first `freshCount` are added to `sampler`, and
   * after the last one all of `fresh` that have not been.
   *
   * The batches follow from `fresh` and from the states of `sampler` and `random` at the call: a run that was killed
   * within a plan takes it up by planning again from those states and passing over what was trained on.
   */
  plan(fresh: Uint32Array, sampler: HistorySampler, random: Random): Iterable<PlannedBatch>;
}
