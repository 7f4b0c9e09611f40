/**
 * Values of a delta, span by span: a span is a run of weights whose values travel in one way. Scaled formats have a
 * scale for each tensor, so there every tensor is a span; neighbouring tensors of another format are one together.
 */
import { lowerBound } from '../lower-bound.ts';
import type { TensorLayout } from '../onnx-layout.ts';
import { fromBfloat16 } from './float-bits.ts';
import { malformedDelta } from './malformed-delta.ts';
import type { RangeDecoder, RangeEncoder } from './range-coder.ts';
import type { RawBitReader, RawBitWriter } from './raw-bits.ts';
import { decodeSteps, encodeSteps, lengthOf, StepContexts } from './step-coder.ts';
import {
  afterScaledSteps,
  afterSteps,
  fractionBits,
  isScale,
  isScaled,
  type ScaledFormat,
  scaledStepsBetween,
  stepsBetween,
  VALUE_FORMATS,
  type ValueFormat,
} from './value-format.ts';

export type TensorSpan = Pick<TensorLayout, 'elementOffset' | 'elementCount'>;

/** Where the entries `from` … `to` − 1 of a delta have the same format, and if that is scaled, the same tensor. */
interface EntrySpan {
  readonly format: ValueFormat;
  readonly tensor: number;
  readonly from: number;
  readonly to: number;
}

const SCALE_BITS = 16;
/** What is expected of scaled steps: publishers choose scales so that the largest change takes all steps there are. */
const SCALED_LENGTH_EXPECTED: Readonly<Record<ScaledFormat, number>> = { q8: 5, q4: 2 };

/** Smaller weights than 2^−31 have so many steps to anywhere that their exponents make no difference. */
const EXPONENT_MIN = 96;
const EXPONENTS = 256;
const CONTEXT_COUNT = VALUE_FORMATS.length * EXPONENTS;

function exponentOf(bits: number): number {
  return Math.max(EXPONENT_MIN, (bits >>> 23) & 0xff);
}

/** Number of the context of `format` for exponent 0; those of other exponents follow it. */
function firstContextOf(format: ValueFormat): number {
  return VALUE_FORMATS.indexOf(format) * EXPONENTS;
}

function* spansOf(
  indices: Uint32Array,
  tensors: readonly TensorSpan[],
  formats: readonly ValueFormat[],
): Generator<EntrySpan> {
  let from = 0;
  for (let first = 0; first < tensors.length && from < indices.length; ) {
    const format = formats[first]!;
    let last = first;
    if (!isScaled(format)) while (formats[last + 1] === format) last++;
    const end = tensors[last]!.elementOffset + tensors[last]!.elementCount;
    const to = lowerBound(indices, end, from);
    if (to > from) yield { format, tensor: first, from, to };
    from = to;
    first = last + 1;
  }
}

/** What changes: at each of `indices`, the pattern in `oldBits` to that in `valueBits`. */
export interface Change {
  readonly indices: Uint32Array;
  readonly oldBits: Uint32Array;
  readonly valueBits: Uint32Array;
}

/**
 * The patterns of `baseBits` at `indices`. In a loop of its own, because there the processor waits for many of them at
 * a time, and in the loops that code them for each one.
 */
export function gatherBits(baseBits: Uint32Array, indices: Uint32Array): Uint32Array {
  const bits = new Uint32Array(indices.length);
  for (let i = 0; i < indices.length; i++) bits[i] = baseBits[indices[i]!]!;
  return bits;
}

/** How the values of one tensor travel. `scale`: a bfloat16 pattern, for scaled formats only. */
export interface TensorValues {
  readonly format: ValueFormat;
  readonly scale?: number;
}

/**
 * The number that makes the expected lengths of steps right on average: the exponent, as in binary32, of the usual
 * change.
 */
export function stepExponentOf(
  { indices, oldBits, valueBits }: Change,
  tensors: readonly TensorSpan[],
  formats: readonly ValueFormat[],
): number {
  let sum = 0;
  let count = 0;
  for (const { format, from, to } of spansOf(indices, tensors, formats)) {
    if (isScaled(format)) continue;
    for (let i = from; i < to; i++) {
      const old = oldBits[i]!;
      const steps = stepsBetween(format, old, valueBits[i]!) ?? 0;
      sum += lengthOf(Math.abs(steps)) + exponentOf(old) - fractionBits(format);
    }
    count += to - from;
  }
  return count === 0 ? 0 : Math.min(0xff, Math.max(0, Math.round(sum / count)));
}

/** @throws RangeError when a value cannot travel as `values` say: the caller has to round first. */
export function encodeValues(
  coder: RangeEncoder,
  raw: RawBitWriter,
  { indices, oldBits, valueBits }: Change,
  tensors: readonly TensorSpan[],
  values: readonly TensorValues[],
  stepExponent: number,
): void {
  const contexts = new StepContexts(CONTEXT_COUNT);
  const formats = values.map(({ format }) => format);
  for (const { format, tensor, from, to } of spansOf(indices, tensors, formats)) {
    const firstContext = firstContextOf(format);
    const scale = values[tensor]!.scale ?? 0;
    const scaleBits = fromBfloat16(scale);
    if (isScaled(format)) {
      if (!isScale(scale)) throw new RangeError(`tensor ${tensor} has format ${format} and no scale`);
      raw.write(scale, SCALE_BITS);
    }
    for (let i = from; i < to; i++) {
      const old = oldBits[i]!;
      const steps = isScaled(format)
        ? scaledStepsBetween(format, old, valueBits[i]!, scaleBits)
        : stepsBetween(format, old, valueBits[i]!);
      if (steps === null)
        throw new RangeError(`the value of weight ${indices[i]} is none of format ${format}`);
      const exponent = isScaled(format) ? 0 : exponentOf(old);
      const expected = isScaled(format)
        ? SCALED_LENGTH_EXPECTED[format]
        : stepExponent - exponent + fractionBits(format);
      encodeSteps(coder, raw, contexts.at(firstContext + exponent, expected), steps);
    }
  }
}

/**
 * Replaces `bits`, the patterns that stood at `indices`, by the new ones, in place: a receiver needs no third array as
 * long as the changes. @throws DELTA_MALFORMED; `bits` are half replaced then.
 */
export function decodeValues(
  coder: RangeDecoder,
  raw: RawBitReader,
  indices: Uint32Array,
  bits: Uint32Array,
  tensors: readonly TensorSpan[],
  formats: readonly ValueFormat[],
  stepExponent: number,
): void {
  const contexts = new StepContexts(CONTEXT_COUNT);
  for (const { format, from, to } of spansOf(indices, tensors, formats)) {
    if (isScaled(format)) {
      const scale = raw.read(SCALE_BITS);
      if (!isScale(scale)) throw malformedDelta('a scale that is not a positive number');
      const context = contexts.at(firstContextOf(format), SCALED_LENGTH_EXPECTED[format]);
      const scaleBits = fromBfloat16(scale);
      for (let i = from; i < to; i++) {
        const steps = decodeSteps(coder, raw, context);
        bits[i] = existing(afterScaledSteps(bits[i]!, steps, scaleBits));
      }
      continue;
    }
    const firstContext = firstContextOf(format);
    const lengthBase = stepExponent + fractionBits(format);
    for (let i = from; i < to; i++) {
      const old = bits[i]!;
      const exponent = exponentOf(old);
      const context = contexts.at(firstContext + exponent, lengthBase - exponent);
      bits[i] = existing(afterSteps(format, old, decodeSteps(coder, raw, context)));
    }
  }
}

function existing(bits: number | null): number {
  if (bits === null) throw malformedDelta('a step beyond the last number of its format');
  return bits;
}
