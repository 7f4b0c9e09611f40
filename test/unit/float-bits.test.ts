/**
 * The narrow floats against plain arithmetic: what a half is worth follows from its fields, and the nearest one from a
 * division by the distance of its neighbours, which doubles do exactly.
 */
import { strict as assert } from 'node:assert';
import { describe, it } from 'node:test';
import {
  bitsOfOrdinal16,
  bitsOfOrdinal32,
  fromBfloat16,
  fromFloat16,
  ordinal16,
  ordinal32,
  toBfloat16,
  toFloat16,
} from '@freshet/protocol/payload/float-bits';
import fc from 'fast-check';
import '../support/seed.ts';
import { floatBits } from '../support/weights.ts';

interface Format {
  readonly fractionBits: number;
  /** Binary exponent of the smallest normal number, and of the largest one. */
  readonly exponentMin: number;
  readonly exponentMax: number;
  readonly to: (bits: number) => number;
  readonly from: (half: number) => number;
}

const FORMATS: Readonly<Record<string, Format>> = {
  float16: { fractionBits: 10, exponentMin: -14, exponentMax: 15, to: toFloat16, from: fromFloat16 },
  bfloat16: { fractionBits: 7, exponentMin: -126, exponentMax: 127, to: toBfloat16, from: fromBfloat16 },
};

const float = new Float32Array(1);
const patterns = new Uint32Array(float.buffer);

function numberOf(bits: number): number {
  patterns[0] = bits;
  return float[0]!;
}

function bitsOfValue(value: number): number {
  float[0] = value;
  return patterns[0]!;
}

/** IEEE 754 §3.4. */
function valueOfHalf(half: number, { fractionBits, exponentMin, exponentMax }: Format): number {
  const sign = half >= 0x8000 ? -1 : 1;
  const exponentField = (half & 0x7fff) >> fractionBits;
  const fraction = (half & ((1 << fractionBits) - 1)) / 2 ** fractionBits;
  if (exponentField === 0) return sign * fraction * 2 ** exponentMin;
  const exponent = exponentField - 1 + exponentMin;
  if (exponent > exponentMax) return fraction === 0 ? sign * Infinity : Number.NaN;
  return sign * (1 + fraction) * 2 ** exponent;
}

/** The number of the format nearest to `value`, and of two the one with the even last digit. */
function nearest(value: number, { fractionBits, exponentMin, exponentMax }: Format): number {
  if (!Number.isFinite(value) || value === 0) return value;
  const distance = 2 ** (Math.max(exponentOf(value), exponentMin) - fractionBits);
  const quotient = value / distance;
  const below = Math.floor(quotient);
  const isUp = quotient - below > 0.5 || (quotient - below === 0.5 && below % 2 !== 0);
  const rounded = (isUp ? below + 1 : below) * distance;
  if (Math.abs(rounded) >= 2 ** (exponentMax + 1)) return Math.sign(value) * Infinity;
  return rounded === 0 ? value * 0 : rounded;
}

/** Binary exponent of a number other than 0: from its bits as a binary64, since a logarithm rounds. */
function exponentOf(value: number): number {
  const upperHalf = new Uint32Array(Float64Array.of(value).buffer)[1]!;
  return ((upperHalf >>> 20) & 0x7ff) - 1023;
}

for (const [name, format] of Object.entries(FORMATS)) {
  const { to, from } = format;

  function assertRounds(bits: number): void {
    const actual = numberOf(from(to(bits)));
    assert.ok(
      Object.is(actual, nearest(numberOf(bits), format)),
      `${name} of ${bits.toString(16)}: ${actual}`,
    );
  }

  describe(name, () => {
    it('has the value that each of its 65,536 patterns stands for, and gives it back', () => {
      for (let half = 0; half <= 0xffff; half++) {
        const value = valueOfHalf(half, format);
        assert.ok(Object.is(numberOf(from(half)), value), half.toString(16));
        if (!Number.isNaN(value)) assert.equal(to(from(half)), half);
      }
    });

    it('rounds to the nearest, ties to even: around every number and every middle of two', () => {
      // Floats are as far from one to the next as all their numbers: the middle of two patterns is that of two values.
      const infinity = (format.exponentMax + 2 - format.exponentMin) << format.fractionBits;
      for (let half = 0; half < infinity; half++) {
        const value = numberOf(from(half));
        const next = half + 1 === infinity ? 2 ** format.exponentMax * 2 : numberOf(from(half + 1));
        const middle = bitsOfValue(value / 2 + next / 2);
        for (const bits of [from(half), middle]) {
          for (const near of [bits - 1, bits, bits + 1]) {
            if (near < 0 || near > 0x7f80_0000) continue;
            assertRounds(near);
            assertRounds((near | 0x8000_0000) >>> 0);
          }
        }
      }
    });

    it('rounds any float to the nearest', () => {
      fc.assert(
        fc.property(floatBits, (bits) => assertRounds(bits)),
        { numRuns: 20_000 },
      );
    });

    it('keeps every NaN one, with its sign and its upper bits', () => {
      const fieldBits = 0x7fff & ~((1 << format.fractionBits) - 1);
      const quiet = 1 << (format.fractionBits - 1);
      for (let half = fieldBits + 1; half <= 0x7fff; half++) {
        assert.equal(to(from(half)), half | quiet);
        assert.equal(to(from(half | 0x8000)), half | quiet | 0x8000);
      }
      // A payload that lies in the bits cut off entirely.
      assert.equal(to(0x7f80_0001), fieldBits | quiet);
      assert.equal(to(0xff80_0001), fieldBits | quiet | 0x8000);
    });

    it('is infinite beyond its largest number', () => {
      assert.equal(numberOf(from(to(0x7f80_0000))), Infinity);
      assert.equal(numberOf(from(to(0xff80_0000))), -Infinity);
      assert.equal(numberOf(from(to(0x7f7f_ffff))), Infinity, 'the largest binary32');
    });
  });
}

describe('ordinals', () => {
  const ascending = [
    -Infinity,
    -3.4e38,
    -1,
    -1.1754943508222875e-38,
    -1e-45,
    -0,
    0,
    1e-45,
    1,
    3.4e38,
    Infinity,
  ];

  it('of 32 bits are in the order of the numbers, −0 right before +0, NaNs at the ends', () => {
    const ordinals = ascending.map((value) => ordinal32(bitsOfValue(value)));
    assert.deepEqual(
      ordinals,
      ordinals.toSorted((left, right) => left - right),
    );
    assert.equal(ordinal32(0), 0);
    assert.equal(ordinal32(0x8000_0000), -1);
    assert.equal(ordinal32(0x7fff_ffff), 0x7fff_ffff);
    assert.equal(ordinal32(0xffff_ffff), -0x8000_0000);
    fc.assert(
      fc.property(floatBits, floatBits, (left, right) => {
        const [a, b] = [numberOf(left), numberOf(right)];
        if (a < b) assert.ok(ordinal32(left) < ordinal32(right));
        assert.equal(bitsOfOrdinal32(ordinal32(left)), left);
      }),
      { numRuns: 2000 },
    );
  });

  it('of 16 bits are the numbers from −32,768 to 32,767 in the order of the patterns’ values', () => {
    let previous: number | null = null;
    for (let ordinal = -0x8000; ordinal <= 0x7fff; ordinal++) {
      const half = bitsOfOrdinal16(ordinal);
      assert.equal(ordinal16(half), ordinal);
      assert.ok(half >= 0 && half <= 0xffff);
      const value = numberOf(fromFloat16(half));
      if (Number.isNaN(value)) continue;
      assert.ok(previous === null || value > previous || (value === 0 && previous === 0));
      previous = value;
    }
  });
});
