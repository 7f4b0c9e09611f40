/**
 * How the values of a delta travel. Every format is a change by a whole number of *steps* from the weight that the
 * receiver holds; what a step is depends on the format:
 *
 *   f32         to the next binary32 number: exact for any value
 *   f16, bf16   to the next number of that format, from the old weight rounded to it: exact for numbers of the format
 *   q8, q4      one `scale` of the tensor, added in float32; at most 127 or 7 steps
 *
 * Both sides get the same bits, always. What is lost is lost at the publisher, before it takes the value into its own
 * shadow; the rest of the system only knows exact 32-bit patterns.
 */
import { assert } from '../assert.ts';
import {
  bitsOfOrdinal16,
  bitsOfOrdinal32,
  fromBfloat16,
  fromFloat16,
  ordinal16,
  ordinal32,
  toBfloat16,
  toFloat16,
} from './float-bits.ts';

/** In the order of their numbers on the wire. */
export const VALUE_FORMATS = ['f32', 'f16', 'bf16', 'q8', 'q4'] as const;
export type ValueFormat = (typeof VALUE_FORMATS)[number];

/** Largest number of steps, in either direction, of a scaled format. */
export const SCALED_STEPS_MAX = { q8: 127, q4: 7 } as const;
export type ScaledFormat = keyof typeof SCALED_STEPS_MAX;

export function isScaled(format: ValueFormat): format is ScaledFormat {
  return format === 'q8' || format === 'q4';
}

/** Fraction bits of the formats that are not scaled. */
const FRACTION_BITS = { f32: 23, f16: 10, bf16: 7 } as const;

/** About log2 of how many steps of `format` make up a change of 1 at a weight of binary exponent 0. */
export function fractionBits(format: Exclude<ValueFormat, ScaledFormat>): number {
  return FRACTION_BITS[format];
}

const ORDINAL16_MAX = 0x7fff;
const ORDINAL16_MIN = -0x8000;

/**
 * Steps from `oldBits` to `newBits` (binary32 patterns), as a signed 32-bit number, or null when `format` has no exact
 * way there.
 */
export function stepsBetween(
  format: Exclude<ValueFormat, ScaledFormat>,
  oldBits: number,
  newBits: number,
): number | null {
  switch (format) {
    case 'f32':
      // Wraps around where the way is longer than 2^31; so does `afterSteps`.
      return (ordinal32(newBits) - ordinal32(oldBits)) | 0;
    case 'f16': {
      const half = toFloat16(newBits);
      return fromFloat16(half) === newBits ? ordinal16(half) - ordinal16(toFloat16(oldBits)) : null;
    }
    case 'bf16': {
      const half = toBfloat16(newBits);
      return fromBfloat16(half) === newBits ? ordinal16(half) - ordinal16(toBfloat16(oldBits)) : null;
    }
  }
}

/** The pattern that is `steps` from `oldBits`, or null when the format ends before. Inverse of `stepsBetween`. */
export function afterSteps(
  format: Exclude<ValueFormat, ScaledFormat>,
  oldBits: number,
  steps: number,
): number | null {
  if (format === 'f32') return bitsOfOrdinal32((ordinal32(oldBits) + steps) | 0);
  const isHalf = format === 'f16';
  const ordinal = ordinal16(isHalf ? toFloat16(oldBits) : toBfloat16(oldBits)) + steps;
  if (ordinal < ORDINAL16_MIN || ordinal > ORDINAL16_MAX) return null;
  const half = bitsOfOrdinal16(ordinal);
  return isHalf ? fromFloat16(half) : fromBfloat16(half);
}

const float = new Float32Array(3);
const floatBits = new Uint32Array(float.buffer);

/** The pattern of old + steps × scale, each operation rounded to float32; null when that is no number. */
export function afterScaledSteps(oldBits: number, steps: number, scaleBits: number): number | null {
  floatBits[0] = oldBits;
  floatBits[1] = scaleBits;
  const value = Math.fround(float[0]! + Math.fround(steps * float[1]!));
  if (Number.isNaN(value)) return null;
  float[2] = value;
  return floatBits[2]!;
}

/** The number of steps that leads from `oldBits` to exactly `newBits`, or null if there is none. */
export function scaledStepsBetween(
  format: ScaledFormat,
  oldBits: number,
  newBits: number,
  scaleBits: number,
): number | null {
  floatBits[0] = oldBits;
  floatBits[1] = scaleBits;
  floatBits[2] = newBits;
  const nearest = Math.round((float[2]! - float[0]!) / float[1]!);
  // Where a float is coarser than the scale, the last step may have gone further than its own length.
  const stepsMax = SCALED_STEPS_MAX[format];
  const steps = Math.max(-stepsMax, Math.min(stepsMax, nearest));
  // Zero steps lead to +0 from −0. NaN steps lead to no number; whatever does not come out to the bit has no way.
  return afterScaledSteps(oldBits, steps, scaleBits) === newBits ? steps + 0 : null;
}

/** Scales are positive, finite bfloat16 numbers. */
export function isScale(half: number): boolean {
  return half > 0 && half < 0x7f80;
}

/** The smallest scale with which `format` reaches a change of `magnitudeMax`, as a bfloat16 pattern. */
export function scaleFor(format: ScaledFormat, magnitudeMax: number): number {
  assert(magnitudeMax >= 0 && Number.isFinite(magnitudeMax), 'a finite change');
  float[0] = magnitudeMax / SCALED_STEPS_MAX[format];
  const half = floatBits[0]! >>> 16;
  const isExact = fromBfloat16(half) === floatBits[0];
  return Math.min(0x7f7f, Math.max(1, isExact ? half : half + 1));
}
