/**
 * What draws from history: the samples that have been trained on before and are still kept. An *arrival* is the number
 * of a sample in order of arrival, from 0, below 2^32, never reused.
 *
 * A sampler is determined by its state, what is added, and the random source; it owns no clock and no random source.
 */
import type { Random } from '../random.ts';
import type { ClassBalancedState } from './class-balanced.ts';
import type { RecentState } from './recent.ts';
import type { ReservoirState } from './reservoir.ts';
import type { TimeDecayedState } from './time-decayed.ts';

/** A plain value: it survives a structured clone, and JSON. */
export type SamplerState = RecentState | TimeDecayedState | ReservoirState | ClassBalancedState;

export interface HistorySampler {
  /** Samples that can be drawn now. */
  readonly size: number;

  /** Whether `add` heeds the label; otherwise it may as well be null. */
  readonly usesLabels: boolean;

  /**
   * Sample `arrival`, larger than all before, belongs to history from now on. `label`: its class, null where it has
   * none. Returns the arrivals that will never be drawn again because of it: often none, at times `arrival` itself. Their
   * samples may be forgotten.
   */
  add(arrival: number, label: number | null, random: Random): readonly number[];

  /** min(count, size) different arrivals, in an order without meaning. A new array. */
  draw(count: number, random: Random): Uint32Array;

  /** All that can be drawn, ascending. A new array. */
  all(): Uint32Array;

  /** Samples below `arrival` have been forgotten by whoever stores them: they are never drawn again. */
  dropBelow(arrival: number): void;

  /** All there is to it; `restoreSampler` goes on from there as this one would have. A new value. */
  state(): SamplerState;
}
