/**
 * Rounds the values of a delta to what the chosen formats can carry. It happens here, before the publisher takes them
 * into its shadow: what rounding takes away stays in the residual and goes with a later delta, and everybody who
 * applies the delta gets the very bits that the shadow holds.
 */
import { assert } from '@freshet/protocol/assert';
import { bitsOf, type SparseDelta } from '@freshet/protocol/delta';
import type { DeltaLayout } from '@freshet/protocol/delta-payload';
import { fromBfloat16, fromFloat16, toBfloat16, toFloat16 } from '@freshet/protocol/payload/float-bits';
import type { TensorValues } from '@freshet/protocol/payload/value-coder';
import {
  afterScaledSteps,
  isScaled,
  SCALED_STEPS_MAX,
  type ScaledFormat,
  scaleFor,
  type ValueFormat,
} from '@freshet/protocol/payload/value-format';

export interface RoundedDelta {
  /** Without what rounding has left where it was. */
  readonly delta: SparseDelta;
  /** One for each tensor, to encode `delta` with. */
  readonly values: readonly TensorValues[];
}

/** `base`: the weights that receivers hold, only read; finite, as the values are. `formats`: one for each tensor. */
export function roundDelta(
  delta: SparseDelta,
  base: Float32Array,
  { tensors }: DeltaLayout,
  formats: readonly ValueFormat[],
): RoundedDelta {
  const { indices } = delta;
  const bits = new Uint32Array(indices.length);
  let from = 0;
  const values = tensors.map(({ elementOffset, elementCount }, tensor): TensorValues => {
    const format = formats[tensor]!;
    let to = from;
    while (to < indices.length && indices[to]! < elementOffset + elementCount) to++;
    const scale = isScaled(format) ? scaleOf(format, delta, base, from, to) : 0;
    roundRange(format, delta, base, scale, from, to, bits);
    from = to;
    return isScaled(format) ? { format, scale } : { format };
  });
  return { delta: withoutUnchanged({ indices, valueBits: bits }, base), values };
}

/** Writes entries `from` … `to` − 1 of `delta`, rounded, to the same places of `rounded`. */
function roundRange(
  format: ValueFormat,
  { indices, valueBits }: SparseDelta,
  base: Float32Array,
  scale: number,
  from: number,
  to: number,
  rounded: Uint32Array,
): void {
  const given = valueBits.subarray(from, to);
  const target = rounded.subarray(from, to);
  if (isScaled(format)) {
    const baseBits = bitsOf(base);
    for (let i = 0; i < given.length; i++) {
      target[i] = roundToSteps(format, baseBits[indices[from + i]!]!, given[i]!, scale);
    }
  } else if (hasGrid(format)) {
    roundAllToGrid(format, given, target);
  } else {
    target.set(given);
  }
}

/** `delta` without the entries that leave a weight of `base` as it is. New arrays. */
function withoutUnchanged({ indices, valueBits }: SparseDelta, base: Float32Array): SparseDelta {
  const baseBits = bitsOf(base);
  const kept = { indices: new Uint32Array(indices.length), valueBits: new Uint32Array(indices.length) };
  let count = 0;
  for (let i = 0; i < indices.length; i++) {
    const index = indices[i]!;
    const bits = valueBits[i]!;
    if (bits === baseBits[index]) continue;
    kept.indices[count] = index;
    kept.valueBits[count] = bits;
    count++;
  }
  return { indices: kept.indices.slice(0, count), valueBits: kept.valueBits.slice(0, count) };
}

/** Of the entries `from` … `to` − 1: the smallest scale that reaches the largest change. */
function scaleOf(
  format: ScaledFormat,
  { indices, valueBits }: SparseDelta,
  base: Float32Array,
  from: number,
  to: number,
): number {
  const values = new Float32Array(valueBits.buffer, valueBits.byteOffset, valueBits.length);
  let largest = 0;
  for (let i = from; i < to; i++) largest = Math.max(largest, Math.abs(values[i]! - base[indices[i]!]!));
  return scaleFor(format, largest);
}

/** Largest finite magnitudes. */
const FLOAT16_MAX = 0x7bff;
const BFLOAT16_MAX = 0x7f7f;

/** Whether the values that `format` carries lie on a grid that does not depend on where a change starts from. */
export function hasGrid(format: ValueFormat): boolean {
  return format === 'f16' || format === 'bf16';
}

/** The pattern nearest to `bits` on the grid of `format`. */
export function roundToGrid(format: ValueFormat, bits: number): number {
  assert(hasGrid(format), 'a format with a grid');
  return format === 'bf16'
    ? fromBfloat16(atMost(BFLOAT16_MAX, toBfloat16(bits)))
    : fromFloat16(atMost(FLOAT16_MAX, toFloat16(bits)));
}

/** Writes what `roundToGrid` gives for all of `bits`, which are patterns of finite numbers, to the start of `rounded`. */
export function roundAllToGrid(format: ValueFormat, bits: Uint32Array, rounded: Uint32Array): void {
  assert(hasGrid(format), 'a format with a grid');
  assert(rounded.length >= bits.length, 'room for all');
  // A call and a switch for each weight would cost ten times what this does.
  if (format === 'bf16') roundAllToBfloat16(bits, rounded);
  else roundAllToFloat16(bits, rounded);
}

function roundAllToBfloat16(bits: Uint32Array, rounded: Uint32Array): void {
  for (let i = 0; i < bits.length; i++) {
    const pattern = bits[i]! | 0;
    const magnitude = pattern & 0x7fff_ffff;
    const half = (magnitude + 0x7fff + ((pattern >>> 16) & 1)) >>> 16;
    rounded[i] = (pattern & 0x8000_0000) | (Math.min(half, BFLOAT16_MAX) << 16);
  }
}

/** Magnitudes of the normal numbers of binary16, in binary32: from 2^−14, and below what rounds to 2^16. */
const FLOAT16_NORMAL_MIN = 0x3880_0000;
const FLOAT16_NORMAL_END = 0x477f_f000;

function roundAllToFloat16(bits: Uint32Array, rounded: Uint32Array): void {
  for (let i = 0; i < bits.length; i++) {
    const pattern = bits[i]! | 0;
    const magnitude = pattern & 0x7fff_ffff;
    if (magnitude >= FLOAT16_NORMAL_MIN && magnitude < FLOAT16_NORMAL_END) {
      // 13 bits fewer of fraction; a carry into the exponent is right.
      const up = (magnitude + 0xfff + ((magnitude >>> 13) & 1)) & ~0x1fff;
      rounded[i] = (pattern & 0x8000_0000) | up;
    } else {
      rounded[i] = magnitude === 0 ? pattern : roundToGrid('f16', bits[i]!);
    }
  }
}

/** `half`, but with a magnitude of no more than `magnitudeMax`: weights stay finite. */
function atMost(magnitudeMax: number, half: number): number {
  return (half & 0x8000) | Math.min(magnitudeMax, half & 0x7fff);
}

const float = new Float32Array(3);
const floatBits = new Uint32Array(float.buffer);

function roundToSteps(format: ScaledFormat, old: number, bits: number, scale: number): number {
  const scaleBits = fromBfloat16(scale);
  floatBits[0] = old;
  floatBits[1] = bits;
  floatBits[2] = scaleBits;
  const stepsMax = SCALED_STEPS_MAX[format];
  let steps = Math.round((float[1]! - float[0]!) / float[2]!);
  steps = Math.max(-stepsMax, Math.min(stepsMax, steps));
  // Near the largest float the nearest step may overflow. No step at all leads to a finite number.
  for (; ; steps -= Math.sign(steps)) {
    const reached = afterScaledSteps(old, steps, scaleBits);
    if (reached !== null && (reached & 0x7f80_0000) !== 0x7f80_0000) return reached;
  }
}
