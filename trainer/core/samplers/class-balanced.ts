/**
 * A bounded history that keeps as many samples of each class as it can, whatever the order and the frequencies in which
 * classes arrive: class-balancing reservoir sampling, CBRS (Chrysakis and Moens, Online Continual Learning from
 * Imbalanced Data, ICML 2020, algorithm 1). Samples without a class form one of their own.
 *
 * A class is *largest* when no other has more samples kept, and *full* from the moment on at which it has been largest
 * while all N places were taken. Of class c, m_c samples are kept and n_c have been seen, the new one included. Once all
 * places are taken, a new sample of class c
 *
 *     where c is not full   takes the place of a random sample of the largest classes
 *     where c is full       takes that of a random sample of c with probability m_c / n_c, and is left out otherwise.
 *
 * So a class that is not full loses nothing, and what is kept of a full one is a uniform sample of all that was seen of
 * it. N should be well above the number of classes: a full class that has lost its last sample to others has m_c = 0 and
 * does not come back. Draws are uniform over what is kept; the paper's weighted replay (its table 3) is not better on all
 * of its data sets.
 */
import { assert } from '@freshet/protocol/assert';
import type { Random } from '../random.ts';
import { distinctIntegers } from './distinct-integers.ts';
import type { HistorySampler } from './history-sampler.ts';

export interface KeptClass {
  readonly label: number | null;
  /** n_c: samples of the class added so far. */
  readonly seen: number;
  readonly isFull: boolean;
  /** Arrivals kept, m_c of them; their order matters for what a random source picks. */
  readonly kept: readonly number[];
}

export interface ClassBalancedState {
  readonly kind: 'class-balanced';
  /** N: samples kept at most. */
  readonly count: number;
  /** In the order in which they first arrived. */
  readonly classes: readonly KeptClass[];
}

interface MutableClass {
  readonly label: number | null;
  seen: number;
  isFull: boolean;
  kept: number[];
}

export class ClassBalancedSampler implements HistorySampler {
  readonly usesLabels = true;
  readonly #count: number;
  readonly #classes: Map<number | null, MutableClass>;
  #size: number;

  constructor({ count, classes }: ClassBalancedState) {
    this.#count = count;
    this.#classes = new Map(classes.map((each) => [each.label, { ...each, kept: [...each.kept] }]));
    this.#size = classes.reduce((sum, { kept }) => sum + kept.length, 0);
    assert(count >= 1 && this.#size <= count, 'no more kept than there is room for');
  }

  get size(): number {
    return this.#size;
  }

  add(arrival: number, label: number | null, random: Random): readonly number[] {
    const own = this.#classOf(label);
    own.seen++;
    if (this.#size < this.#count) {
      own.kept.push(arrival);
      this.#size++;
      if (this.#size === this.#count) this.#markFull();
      return [];
    }
    if (own.isFull) return replaceInReservoir(own, arrival, random);
    const replaced = this.#takeFromLargest(random);
    own.kept.push(arrival);
    this.#markFull();
    return [replaced];
  }

  #classOf(label: number | null): MutableClass {
    let found = this.#classes.get(label);
    if (found === undefined) {
      found = { label, seen: 0, isFull: false, kept: [] };
      this.#classes.set(label, found);
    }
    return found;
  }

  #largest(): MutableClass[] {
    let countMax = 0;
    for (const { kept } of this.#classes.values()) countMax = Math.max(countMax, kept.length);
    return [...this.#classes.values()].filter(({ kept }) => kept.length === countMax);
  }

  #markFull(): void {
    for (const each of this.#largest()) each.isFull = true;
  }

  /** Takes a random sample of the largest classes away. They have equally many: first a class, then one of it. */
  #takeFromLargest(random: Random): number {
    const largest = this.#largest();
    const { kept } = largest[random.integerBelow(largest.length)]!;
    const place = random.integerBelow(kept.length);
    const taken = kept[place]!;
    kept[place] = kept.at(-1)!;
    kept.pop();
    return taken;
  }

  draw(count: number, random: Random): Uint32Array {
    const classes = [...this.#classes.values()].filter(({ kept }) => kept.length > 0);
    const ends: number[] = [];
    for (const { kept } of classes) ends.push((ends.at(-1) ?? 0) + kept.length);
    const ranks = distinctIntegers(this.#size, Math.min(count, this.#size), random);
    return Uint32Array.from(ranks, (rank) => {
      const position = ends.findIndex((end) => rank < end);
      return classes[position]!.kept[rank - (ends[position - 1] ?? 0)]!;
    });
  }

  all(): Uint32Array {
    return Uint32Array.from([...this.#classes.values()].flatMap(({ kept }) => kept)).sort();
  }

  /** What arrives next fills the places that this leaves, of whatever class. */
  dropBelow(arrival: number): void {
    this.#size = 0;
    for (const each of this.#classes.values()) {
      each.kept = each.kept.filter((kept) => kept >= arrival);
      this.#size += each.kept.length;
    }
  }

  state(): ClassBalancedState {
    const classes = Array.from(this.#classes.values(), (each) => ({ ...each, kept: [...each.kept] }));
    return { kind: 'class-balanced', count: this.#count, classes };
  }
}

/** Algorithm R within one class: one of the first m_c of n_c numbers comes with probability m_c / n_c. */
function replaceInReservoir(own: MutableClass, arrival: number, random: Random): readonly number[] {
  const place = random.integerBelow(own.seen);
  const replaced = own.kept[place];
  if (replaced === undefined) return [arrival];
  own.kept[place] = arrival;
  return [replaced];
}
