/**
 * Numbers of steps (value-format.ts), as sign and magnitude. What a model can know of a magnitude is how long it is and
 * how it goes on behind its leading bit; the rest is raw.
 *
 * All changes of one publish are about equally large, and the same change is the more steps the smaller the weight is
 * that it happens to. So there is a model for each binary exponent of the old weight, which starts out from the length
 * that `stepExponent`, a number in the payload, implies; the weight itself is known to both sides.
 */
import { FrequencyModel } from './frequency-model.ts';
import { malformedDelta } from './malformed-delta.ts';
import type { RangeDecoder, RangeEncoder } from './range-coder.ts';
import type { RawBitReader, RawBitWriter } from './raw-bits.ts';

/** Lengths that have symbols lie at most so far from the expected one. */
const LENGTH_REACH = 6;
/** Bits behind the leading one that are part of the symbol. */
const LEAD_BITS = 2;
const LEADS = 1 << LEAD_BITS;
/** Symbol for all other lengths. */
const ESCAPE = (2 * LENGTH_REACH + 1) * LEADS;
const LENGTH_BITS = 6;
const LENGTH_MAX = 32;
const EXPECTED_LENGTH_MAX = 31;
/** Weights of the lengths 0, 1, … away from the expected one, shared by its symbols. */
const PRIOR_BY_DISTANCE = [16, 10, 6, 4, 2, 2, 1];

const PRIOR = Array.from({ length: ESCAPE + 1 }, (_, symbol) =>
  symbol === ESCAPE ? 1 : PRIOR_BY_DISTANCE[Math.abs(Math.floor(symbol / LEADS) - LENGTH_REACH)]!,
);

/** What is known of a step before it is read: models for one kind of old weight. */
interface StepContext {
  readonly expectedLength: number;
  readonly model: FrequencyModel;
}

/** Contexts by number, made when they are first needed. The same on both sides. */
export class StepContexts {
  readonly #contexts: (StepContext | null)[];

  constructor(count: number) {
    this.#contexts = new Array<StepContext | null>(count).fill(null);
  }

  /** `expectedLength`, of the magnitude in bits, counts at the first use of `number`. */
  at(number: number, expectedLength: number): StepContext {
    const known = this.#contexts[number]!;
    if (known !== null) return known;
    const context = {
      expectedLength: Math.min(EXPECTED_LENGTH_MAX, Math.max(1, expectedLength)),
      model: new FrequencyModel(PRIOR),
    };
    this.#contexts[number] = context;
    return context;
  }
}

/** Bits of `magnitude` from its leading one on; 0 for 0. */
export function lengthOf(magnitude: number): number {
  return 32 - Math.clz32(magnitude);
}

/** Writes `steps`, a signed 32-bit number. */
export function encodeSteps(
  coder: RangeEncoder,
  raw: RawBitWriter,
  { expectedLength, model }: StepContext,
  steps: number,
): void {
  const magnitude = Math.abs(steps);
  const length = lengthOf(magnitude);
  const distance = length - expectedLength;
  let restBits = Math.max(0, length - 1);
  if (Math.abs(distance) <= LENGTH_REACH) {
    const leadBits = Math.min(LEAD_BITS, restBits);
    restBits -= leadBits;
    const lead = (magnitude >>> restBits) & ((1 << leadBits) - 1);
    coder.write(model, (distance + LENGTH_REACH) * LEADS + (lead << (LEAD_BITS - leadBits)));
  } else {
    coder.write(model, ESCAPE);
    raw.write(length, LENGTH_BITS);
  }
  raw.write(steps < 0 ? 1 : 0, 1);
  if (restBits > 0) raw.write(magnitude, restBits);
}

/** Inverse of `encodeSteps`. @throws DELTA_MALFORMED */
export function decodeSteps(
  coder: RangeDecoder,
  raw: RawBitReader,
  { expectedLength, model }: StepContext,
): number {
  const symbol = coder.read(model);
  let length: number;
  let restBits: number;
  let magnitude: number;
  if (symbol === ESCAPE) {
    length = raw.read(LENGTH_BITS);
    restBits = Math.max(0, length - 1);
    magnitude = length === 0 ? 0 : 1;
  } else {
    length = (symbol >> LEAD_BITS) - LENGTH_REACH + expectedLength;
    if (length < 0) throw malformedDelta('a step of less than no bits');
    const leadBits = Math.min(LEAD_BITS, Math.max(0, length - 1));
    restBits = Math.max(0, length - 1) - leadBits;
    const lead = (symbol & (LEADS - 1)) >> (LEAD_BITS - leadBits);
    magnitude = length === 0 ? 0 : (1 << leadBits) | lead;
  }
  if (length > LENGTH_MAX) throw malformedDelta('a step of more than 32 bits');
  // The sign is the lowest bit of what is raw.
  if (restBits < 24) {
    const rest = raw.read(restBits + 1);
    magnitude = (magnitude << restBits) | (rest >>> 1);
    return (rest & 1) === 1 ? -magnitude | 0 : magnitude | 0;
  }
  const isNegative = raw.read(1) === 1;
  magnitude = magnitude * ((1 << restBits) >>> 0) + raw.read(restBits);
  return isNegative ? -magnitude | 0 : magnitude | 0;
}
