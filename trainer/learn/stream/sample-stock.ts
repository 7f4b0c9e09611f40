/**
 * What training on the stream needs of samples: how many wait, what they are, and a record of what was decided about
 * them, so that a run that was killed decides the same again.
 */
import type { Batch } from '../batch-buffer.ts';

export interface SampleStock {
  /**
   * How many samples from arrival `position` on are there, at least `wanted` of them where the recipe's own source can
   * still yield as many: it is asked only for what is missing.
   */
  available(position: number, wanted: number): number;

  /** Those of `arrivals` that a model can be given; the others are passed over, and reported once. */
  usable(arrivals: Uint32Array): Uint32Array;

  /** The samples that arrived as these numbers, all of them usable, in that order; valid until the next call. */
  batch(arrivals: Uint32Array): Batch;

  /** Those before `position` that are kept, ascending; a new array. */
  history(position: number): Uint32Array;

  /** Their classes, where samples have classes; null where they have none. */
  labels(arrivals: Uint32Array): Int32Array | null;

  /** Whether `arrival` has been there before under another number, in a source that repeats. */
  isRepeated(arrival: number): boolean;

  /** Up to which arrival round `round` took samples when it was begun before; null where it never was. */
  roundEnd(round: number): number | null;

  /** Records, before anything of it is trained on, that round `round` takes the samples before `end`. */
  takeRound(round: number, end: number): void;
}
