/**
 * How often each symbol of an alphabet is expected, learned from the symbols seen so far, on both sides alike. The
 * frequencies that code symbols are derived from the counts only now and then (after 1, 2, 3, 4, 6, 9, … symbols, later
 * every 2,048): that costs little compression and makes a symbol a table look-up.
 *
 * All arithmetic is on integers, so that two implementations agree to the bit.
 */
import { assert } from '../assert.ts';

export const FREQUENCY_BITS = 12;
/** What the frequencies of all symbols add up to. */
export const FREQUENCY_TOTAL = 1 << FREQUENCY_BITS;

/** What one symbol seen adds to its count; counts start at the prior's weights. */
const COUNT_STEP = 64;
/** When the counts together exceed this, all are halved: what was long ago counts less. */
const COUNT_TOTAL_MAX = 2 ** 20;
const REBUILD_INTERVAL_MAX = 2048;

/** Units per entry of the look-up table: a compromise between its size and the steps after it. */
const LOOKUP_SHIFT = 4;

export class FrequencyModel {
  readonly #counts: Uint32Array;
  /** `#starts[s]` is the first unit of symbol s; one more at the end. */
  readonly #starts: Uint16Array;
  /** A symbol at or below the one that holds unit `index << LOOKUP_SHIFT`. */
  readonly #lookup = new Uint8Array(FREQUENCY_TOTAL >> LOOKUP_SHIFT);
  #countTotal: number;
  #seen = 0;
  #rebuildAt = 1;

  /** `prior`: weights ≥ 1 of the symbols 0, 1, …; 64 weigh as much as one symbol seen. At most 256 symbols. */
  constructor(prior: ArrayLike<number>) {
    assert(prior.length >= 1 && prior.length <= 256, 'an alphabet has 1 to 256 symbols');
    this.#counts = Uint32Array.from(prior);
    this.#starts = new Uint16Array(prior.length + 1);
    this.#countTotal = this.#counts.reduce((total, count) => total + count, 0);
    this.#rebuild();
  }

  /** First unit of `symbol`, or FREQUENCY_TOTAL for the one after the last. */
  startOf(symbol: number): number {
    return this.#starts[symbol]!;
  }

  /** The symbol that holds `unit`, in [0, FREQUENCY_TOTAL). */
  symbolAt(unit: number): number {
    let symbol = this.#lookup[unit >> LOOKUP_SHIFT]!;
    while (this.#starts[symbol + 1]! <= unit) symbol++;
    return symbol;
  }

  learn(symbol: number): void {
    this.#counts[symbol]! += COUNT_STEP;
    this.#countTotal += COUNT_STEP;
    if (++this.#seen === this.#rebuildAt) this.#rebuild();
  }

  #rebuild(): void {
    if (this.#countTotal > COUNT_TOTAL_MAX) this.#halve();
    const counts = this.#counts;
    // Each symbol has one unit at least; the others are shared out in proportion, and the most frequent gets the rest.
    const shared = FREQUENCY_TOTAL - counts.length;
    let given = 0;
    let top = 0;
    for (let symbol = 0; symbol < counts.length; symbol++) {
      given += 1 + Math.floor((counts[symbol]! * shared) / this.#countTotal);
      if (counts[symbol]! > counts[top]!) top = symbol;
    }
    let start = 0;
    for (let symbol = 0; symbol < counts.length; symbol++) {
      this.#starts[symbol] = start;
      start += 1 + Math.floor((counts[symbol]! * shared) / this.#countTotal);
      if (symbol === top) start += FREQUENCY_TOTAL - given;
    }
    this.#starts[counts.length] = start;
    this.#fillLookup();
    const interval = Math.min(REBUILD_INTERVAL_MAX, Math.max(1, this.#seen >> 1));
    this.#rebuildAt = this.#seen + interval;
  }

  #fillLookup(): void {
    let symbol = 0;
    for (let entry = 0; entry < this.#lookup.length; entry++) {
      while (this.#starts[symbol + 1]! <= entry << LOOKUP_SHIFT) symbol++;
      this.#lookup[entry] = symbol;
    }
  }

  #halve(): void {
    this.#countTotal = 0;
    for (let symbol = 0; symbol < this.#counts.length; symbol++) {
      this.#counts[symbol] = (this.#counts[symbol]! + 1) >> 1;
      this.#countTotal += this.#counts[symbol]!;
    }
  }
}
