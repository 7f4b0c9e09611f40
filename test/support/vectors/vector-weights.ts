/**
 * Weights as the vector files write them: their bytes, or a formula where the bytes would fill the file. Formulas are
 * integer arithmetic, so that a reader in any language can compute them (test/vectors/README.md).
 */
import { bitsOf } from '@freshet/protocol/delta';
import { bytesOfHex, hexOf } from './hex.ts';

const FORMULAS = {
  /** Any pattern: NaNs, infinities and denormals among them. */
  patterns: (hash: number): number => hash,
  /** Numbers as weights are: of either sign, their magnitudes from 2^−7 to below 2^−3. */
  weights: (hash: number): number => (((hash & 1) << 31) | (0x3c00_0000 + (hash >>> 7))) >>> 0,
};

/** The bytes of little-endian float32 in hex, or what computes `count` of them. */
export type WeightsSpec = string | { readonly formula: keyof typeof FORMULAS; readonly count: number };

/** The weights that `spec` stands for: a new array. */
export function weightsOfSpec(spec: WeightsSpec): Float32Array {
  if (typeof spec === 'string') return new Float32Array(bytesOfHex(spec).buffer);
  const { formula, count } = spec;
  const bits = Uint32Array.from({ length: count }, (_, i) => FORMULAS[formula](spread(i)));
  return new Float32Array(bits.buffer);
}

/** Knuth's multiplicative hash, (i · 0x9e3779b1) mod 2^32: neighbouring numbers land far from each other. */
export function spread(i: number): number {
  return Math.imul(i, 0x9e37_79b1) >>> 0;
}

/** As the files write weights, or the patterns of weights. */
export function hexOfBits(bits: ArrayLike<number>): string {
  return hexOf(new Uint8Array(Uint32Array.from(bits).buffer));
}

/** Inverse of `hexOfBits`. */
export function bitsOfHex(hex: string): Uint32Array {
  return bitsOf(new Float32Array(bytesOfHex(hex).buffer));
}
