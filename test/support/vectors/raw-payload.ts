/**
 * Delta payloads symbol by symbol, for what our encoder never writes: other ways to say the same, and what no decoder may
 * take. The layers below the payload are the real ones.
 */
import { FrequencyModel } from '@freshet/protocol/payload/frequency-model';
import { encodeIndices } from '@freshet/protocol/payload/gap-coder';
import { RangeEncoder } from '@freshet/protocol/payload/range-coder';
import { RawBitWriter } from '@freshet/protocol/payload/raw-bits';
import { encodeRank } from '@freshet/protocol/payload/set-rank';
import { encodeSteps, StepContexts } from '@freshet/protocol/payload/step-coder';

/** PROTOCOL.md §4.4 and §4.5: the models' priors, written out here so that they are not taken from what is tested. */
const GAP_PRIOR = [185, 107, 62, 36, 21, 12, 7, 4, 2, 1, 1, 1, 1, 1, 1, 1, 1];
const STEP_PRIOR = [
  ...[1, 2, 2, 4, 6, 10, 16, 10, 6, 4, 2, 2, 1].flatMap((weight) => [weight, weight, weight, weight]),
  1,
];
export const GAP_ESCAPE = 16;
export const STEP_ESCAPE = 52;
const STEP_LENGTH_BITS = 6;

export class RawPayload {
  readonly #header: readonly number[];
  readonly #coder = new RangeEncoder();
  readonly #raw = new RawBitWriter();
  readonly #gapModels = new Map<number, FrequencyModel>();
  readonly #stepModels = new Map<number, FrequencyModel>();
  readonly #contexts = new StepContexts(1);

  constructor(header: readonly number[]) {
    this.#header = header;
  }

  /** Positions as they are usually written. */
  indices(indices: readonly number[], elementCount: number): this {
    encodeIndices(this.#coder, this.#raw, Uint32Array.from(indices), elementCount);
    return this;
  }

  /** Positions as the rank of their set. */
  rank(indices: readonly number[], elementCount: number): this {
    encodeRank(this.#raw, Uint32Array.from(indices), elementCount);
    return this;
  }

  /** The symbol of a gap that is cut at bit `cut`. */
  gapSymbol(symbol: number, cut = 0): this {
    this.#coder.write(modelAt(this.#gapModels, cut, GAP_PRIOR), symbol);
    return this;
  }

  /** A symbol of a step; `context` tells old weights of different exponents apart. */
  stepSymbol(symbol: number, context = 0): this {
    this.#coder.write(modelAt(this.#stepModels, context, STEP_PRIOR), symbol);
    return this;
  }

  /** The escape symbol, and behind it the length of a magnitude and its sign. */
  stepEscape(length: number, isNegative = false, context = 0): this {
    return this.stepSymbol(STEP_ESCAPE, context)
      .bits(length, STEP_LENGTH_BITS)
      .bits(isNegative ? 1 : 0, 1);
  }

  /** Steps as they are usually written, all of one context. */
  steps(steps: readonly number[], expectedLength: number): this {
    const context = this.#contexts.at(0, expectedLength);
    for (const each of steps) encodeSteps(this.#coder, this.#raw, context, each);
    return this;
  }

  bits(value: number, bitCount: number): this {
    this.#raw.write(value, bitCount);
    return this;
  }

  /** `between`: bytes after the last symbol, before the raw bits. Ends the use of this object. */
  finish(between: readonly number[] = []): Uint8Array {
    return Uint8Array.from([...this.#header, ...this.#coder.finish(), ...between, ...this.#raw.finish()]);
  }
}

function modelAt(models: Map<number, FrequencyModel>, key: number, prior: readonly number[]): FrequencyModel {
  const known = models.get(key) ?? new FrequencyModel(prior);
  models.set(key, known);
  return known;
}
