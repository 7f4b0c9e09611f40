/**
 * A bounded history that keeps every sample that ever arrived with the same chance: Algorithm R (Vitter, Random
 * sampling with a reservoir, ACM TOMS 11(1), 1985, who attributes it to Waterman). The n-th sample takes the place of a
 * random one with probability N/n.
 */
import { assert } from '@freshet/protocol/assert';
import type { Random } from '../random.ts';
import { distinctIntegers } from './distinct-integers.ts';
import type { HistorySampler } from './history-sampler.ts';

export interface ReservoirState {
  readonly kind: 'reservoir';
  /** N: samples kept at most. */
  readonly count: number;
  /** n: samples added so far. */
  readonly seen: number;
  /** Arrivals kept, in the order of their places. */
  readonly kept: readonly number[];
}

export class ReservoirSampler implements HistorySampler {
  readonly usesLabels = false;
  readonly #count: number;
  #kept: number[];
  #seen: number;

  constructor({ count, seen, kept }: ReservoirState) {
    assert(count >= 1 && kept.length <= Math.min(count, seen), 'no more kept than there is room for');
    this.#count = count;
    this.#seen = seen;
    this.#kept = [...kept];
  }

  get size(): number {
    return this.#kept.length;
  }

  add(arrival: number, _label: number | null, random: Random): readonly number[] {
    this.#seen++;
    if (this.#kept.length < this.#count) {
      this.#kept.push(arrival);
      return [];
    }
    const place = random.integerBelow(this.#seen);
    if (place >= this.#count) return [arrival];
    const replaced = this.#kept[place]!;
    this.#kept[place] = arrival;
    return [replaced];
  }

  draw(count: number, random: Random): Uint32Array {
    const places = distinctIntegers(this.size, Math.min(count, this.size), random);
    return Uint32Array.from(places, (place) => this.#kept[place]!);
  }

  all(): Uint32Array {
    return Uint32Array.from(this.#kept).sort();
  }

  /** What arrives next fills the places that this leaves, whatever arrived before: the new ones are favoured then. */
  dropBelow(arrival: number): void {
    this.#kept = this.#kept.filter((kept) => kept >= arrival);
  }

  state(): ReservoirState {
    return { kind: 'reservoir', count: this.#count, seen: this.#seen, kept: [...this.#kept] };
  }
}
