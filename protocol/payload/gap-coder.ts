/**
 * Positions of a delta, as the gaps between them: gap = index − previous index − 1.
 *
 * A gap g is cut at bit r: ⌊g / 2^r⌋ is a modelled symbol, the r bits below are raw. r follows the mean of the recent
 * gaps (as in Rice coding), which starts out as what `count` positions among `elementCount` have on average; so a
 * handful of positions costs about as much as thousands, dense tensors and sparse ones in the same delta each get their
 * due, and the model of the symbol takes what is left of any regularity.
 */
import { FrequencyModel } from './frequency-model.ts';
import { malformedDelta } from './malformed-delta.ts';
import type { RangeDecoder, RangeEncoder } from './range-coder.ts';
import type { RawBitReader, RawBitWriter } from './raw-bits.ts';

/** Symbol for quotients from here on. */
const ESCAPE = 16;
/** About 440 × 0.58^q: of a geometric distribution cut where its quotients have a mean between 1 and 2. */
const PRIOR = [185, 107, 62, 36, 21, 12, 7, 4, 2, 1, 1, 1, 1, 1, 1, 1, 1];

const SEED_COUNT = 4;
/** After so many gaps, older ones count half. */
const WINDOW_COUNT = 128;
const EXCESS_BITS_MAX = 28;
/** Gaps are below ELEMENT_COUNT_MAX = 2^28. */
const CUT_COUNT = 29;

/** Where the next gap is cut, and the model for its symbol. The same on both sides. */
class GapModel {
  readonly #models = new Array<FrequencyModel | null>(CUT_COUNT).fill(null);
  #count = SEED_COUNT;
  #sum: number;

  constructor(elementCount: number, count: number) {
    this.#sum = SEED_COUNT * Math.floor((elementCount - count) / Math.max(1, count));
  }

  /** The largest r with 2^r at most the mean gap; 0 where that is below 1. */
  cut(): number {
    const mean = (this.#sum / this.#count) | 0;
    return mean === 0 ? 0 : 31 - Math.clz32(mean);
  }

  modelFor(cut: number): FrequencyModel {
    const known = this.#models[cut]!;
    if (known !== null) return known;
    const model = new FrequencyModel(PRIOR);
    this.#models[cut] = model;
    return model;
  }

  learn(gap: number): void {
    this.#sum += gap;
    this.#count++;
    if (this.#count < WINDOW_COUNT) return;
    this.#count /= 2;
    this.#sum = Math.floor(this.#sum / 2);
  }
}

/** Writes strictly ascending `indices` below `elementCount`. */
export function encodeIndices(
  coder: RangeEncoder,
  raw: RawBitWriter,
  indices: Uint32Array,
  elementCount: number,
): void {
  const gaps = new GapModel(elementCount, indices.length);
  let previous = -1;
  for (const index of indices) {
    const gap = index - previous - 1;
    const cut = gaps.cut();
    const quotient = gap >>> cut;
    coder.write(gaps.modelFor(cut), Math.min(quotient, ESCAPE));
    if (quotient >= ESCAPE) writeExcess(raw, quotient - ESCAPE);
    raw.write(gap & ((1 << cut) - 1), cut);
    gaps.learn(gap);
    previous = index;
  }
}

/** Reads `count` indices into a new array. @throws DELTA_MALFORMED when one is not below `elementCount` */
export function decodeIndices(
  coder: RangeDecoder,
  raw: RawBitReader,
  count: number,
  elementCount: number,
): Uint32Array {
  const gaps = new GapModel(elementCount, count);
  const indices = new Uint32Array(count);
  let previous = -1;
  for (let i = 0; i < count; i++) {
    const cut = gaps.cut();
    let quotient = coder.read(gaps.modelFor(cut));
    if (quotient === ESCAPE) quotient += readExcess(raw);
    const gap = quotient * (1 << cut) + raw.read(cut);
    const index = previous + 1 + gap;
    if (index >= elementCount) throw malformedDelta(`a position outside ${elementCount} weights`);
    indices[i] = index;
    gaps.learn(gap);
    previous = index;
  }
  return indices;
}

/** Elias gamma: as many zeros as there are bits behind the leading one of value + 1, then these bits. */
function writeExcess(raw: RawBitWriter, value: number): void {
  const bitCount = 31 - Math.clz32(value + 1);
  raw.write(1 << bitCount, bitCount + 1);
  raw.write((value + 1) & ((1 << bitCount) - 1), bitCount);
}

function readExcess(raw: RawBitReader): number {
  let bitCount = 0;
  while (raw.read(1) === 0) {
    if (++bitCount > EXCESS_BITS_MAX) throw malformedDelta('a gap of more than 28 bits');
  }
  return (1 << bitCount) + raw.read(bitCount) - 1;
}
