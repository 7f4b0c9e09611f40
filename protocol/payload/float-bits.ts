/**
 * Floats as bit patterns: narrower formats, and the order of patterns. Bitwise throughout, so that every pattern has
 * one defined result, NaN payloads and −0 included, on every machine.
 */

/**
 * Place of a binary32 pattern in the order of all patterns (−NaN, −∞ … −0, +0 … +∞, NaN) as a signed 32-bit number.
 * Neighbouring floats have neighbouring ordinals. Its own inverse.
 */
export function ordinal32(bits: number): number {
  return bits < 0 || bits > 0x7fff_ffff ? ~(bits & 0x7fff_ffff) : bits;
}

/** The pattern of an ordinal, as an unsigned number. */
export function bitsOfOrdinal32(ordinal: number): number {
  return (ordinal < 0 ? ~ordinal | 0x8000_0000 : ordinal) >>> 0;
}

/** The same for formats of 16 bits: ordinals from −32,768 to 32,767. */
export function ordinal16(bits: number): number {
  return bits > 0x7fff ? ~(bits & 0x7fff) : bits;
}

export function bitsOfOrdinal16(ordinal: number): number {
  return ordinal < 0 ? ~ordinal | 0x8000 : ordinal;
}

/** Rounds to bfloat16, to nearest with ties to even; a NaN keeps its upper bits and stays one. */
export function toBfloat16(bits: number): number {
  if ((bits & 0x7fff_ffff) > 0x7f80_0000) return (bits >>> 16) | 0x40;
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
}

export function fromBfloat16(half: number): number {
  return (half << 16) >>> 0;
}

const EXPONENT_BIAS_GAP = 127 - 15;
const FLOAT16_INFINITY = 0x7c00;

/** Rounds to IEEE 754 binary16, to nearest with ties to even; too large gives ∞; a NaN keeps its upper bits. */
export function toFloat16(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fff_ffff;
  if (magnitude > 0x7f80_0000) return sign | FLOAT16_INFINITY | 0x200 | ((magnitude >>> 13) & 0x3ff);
  const exponent = (magnitude >>> 23) - EXPONENT_BIAS_GAP;
  if (exponent >= 31) return sign | FLOAT16_INFINITY;
  if (exponent >= 1) {
    // Rounding may carry into the exponent, and from the largest one to ∞, which is right both times.
    return sign | roundShift((exponent << 23) | (magnitude & 0x7f_ffff), 13);
  }
  // Denormal: the implicit bit becomes explicit and moves down; what moves out completely is zero.
  const shift = 14 - exponent;
  return shift > 24 ? sign : sign | roundShift(0x80_0000 | (magnitude & 0x7f_ffff), shift);
}

/** value / 2^shift, to nearest with ties to even. */
function roundShift(value: number, shift: number): number {
  const kept = value >>> shift;
  const rest = value & ((1 << shift) - 1);
  const half = 1 << (shift - 1);
  return rest > half || (rest === half && (kept & 1) === 1) ? kept + 1 : kept;
}

export function fromFloat16(half: number): number {
  const sign = (half & 0x8000) * 0x1_0000;
  const exponent = (half >>> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0x1f) return sign + (0x7f80_0000 | (fraction << 13));
  if (exponent > 0) return sign + (((exponent + EXPONENT_BIAS_GAP) << 23) | (fraction << 13));
  if (fraction === 0) return sign;
  // Denormal: its leading bit becomes the implicit one.
  const shift = Math.clz32(fraction) - 21;
  return sign + (((1 + EXPONENT_BIAS_GAP - shift) << 23) | (((fraction << shift) & 0x3ff) << 13));
}
