/** Payloads that decode to a delta, and that our encoder writes for it, byte for byte. */
import { bitsOf } from '@freshet/protocol/delta';
import {
  afterScaledSteps,
  type ScaledFormat,
  type ValueFormat,
} from '@freshet/protocol/payload/value-format';
import { type DeltaFormats, type ValidDelta, validDelta } from './delta-vector.ts';
import { hexOfBits, spread, type WeightsSpec, weightsOfSpec } from './vector-weights.ts';

/** Zeros, denormals, ones, the largest, infinities, NaNs with and without payloads: of both signs. */
export const SPECIAL_BITS: readonly number[] = [
  0x0000_0000, 0x8000_0000, 0x0000_0001, 0x8000_0001, 0x007f_ffff, 0x0080_0000, 0x3f80_0000, 0xbf80_0000,
  0x7f7f_ffff, 0xff7f_ffff, 0x7f80_0000, 0xff80_0000, 0x7fc0_0000, 0x7f80_0001, 0xffff_ffff, 0xffc1_2345,
];
const SPECIAL = hexOfBits(SPECIAL_BITS);

/** All float16 numbers of special kinds, as binary32: both zeros, denormals, normal ones, ±65504, ±∞, NaNs. */
const FLOAT16_BITS: readonly number[] = [
  0x0000_0000, 0x8000_0000, 0x3380_0000, 0xb380_0000, 0x387f_c000, 0x3880_0000, 0x3f80_0000, 0xbf80_2000,
  0x477f_e000, 0xc77f_e000, 0x7f80_0000, 0xff80_0000, 0x7fc0_0000, 0x7fdf_e000, 0xffc0_2000, 0x3e4c_c000,
];

/** The same of bfloat16. */
const BFLOAT16_BITS: readonly number[] = [
  0x0000_0000, 0x8000_0000, 0x0001_0000, 0x8001_0000, 0x007f_0000, 0x0080_0000, 0x3f80_0000, 0xbf81_0000,
  0x7f7f_0000, 0xff7f_0000, 0x7f80_0000, 0xff80_0000, 0x7fc0_0000, 0x7fff_0000, 0xffc1_0000, 0x3e4d_0000,
];

/** Weights that rounding to 16 bits is hard for: ties to even both ways, overflow, underflow, NaNs. */
const HARD_TO_ROUND_BITS: readonly number[] = [
  0x3f80_1000, 0x3f80_3000, 0x3f80_1001, 0x3f80_8000, 0x3f81_8000, 0x3f80_8001, 0x477f_efff, 0x477f_f000,
  0x7f7f_7fff, 0x7f7f_8000, 0x3300_0000, 0x3300_0001, 0x0000_8000, 0x0000_8001, 0x47c0_0000, 0xffff_ffff,
];

interface Input {
  readonly name: string;
  readonly tensors: readonly number[];
  readonly base?: WeightsSpec;
  readonly indices: readonly number[];
  /** The new patterns. */
  readonly bits: readonly number[];
  /** One for all tensors, or one for each. */
  readonly formats?: ValueFormat | readonly ValueFormat[];
  readonly scales?: readonly (string | null)[];
}

function valid({ name, tensors, indices, bits, ...input }: Input): ValidDelta {
  const count = tensors.reduce((sum, each) => sum + each, 0);
  const { base = { formula: 'weights', count }, formats: drawn = 'f32' } = input;
  const formats: DeltaFormats = {
    formats: typeof drawn === 'string' ? tensors.map(() => drawn) : drawn,
    scales: input.scales ?? tensors.map(() => null),
  };
  const delta = { indices: Uint32Array.from(indices), valueBits: Uint32Array.from(bits) };
  return validDelta({ name, tensors, base, ...formats }, delta);
}

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const rotated = <Value>(values: readonly Value[], by: number): Value[] =>
  values.map((_, i) => values[(i + by) % values.length]!);

/** A small number of either sign, from `i`. */
const stepsAt = (i: number, stepsMax: number): number => (spread(i + 1) % (2 * stepsMax + 1)) - stepsMax;

/** The patterns at `indices`, each so many places further in the order of unsigned patterns. */
function moved(base: WeightsSpec, indices: readonly number[], steps: (i: number) => number): number[] {
  const bits = bitsOf(weightsOfSpec(base));
  return indices.map((index, i) => (bits[index]! + steps(i)) >>> 0);
}

/** The patterns at `indices` after steps of a scaled format. */
function scaled(
  base: WeightsSpec,
  indices: readonly number[],
  scale: string,
  steps: (i: number) => number,
): number[] {
  const bits = bitsOf(weightsOfSpec(base));
  const scaleBits = Number.parseInt(scale, 16) * 0x1_0000;
  return indices.map((index, i) => {
    const after = afterScaledSteps(bits[index]!, steps(i), scaleBits);
    if (after === null) throw new TypeError(`weight ${index} does not come out as a number`);
    return after;
  });
}

export function validDeltas(): ValidDelta[] {
  return [...nothingMuch(), ...exact(), ...halves(), ...scaledFormats(), ...mixed(), ...positions(), long()];
}

function nothingMuch(): ValidDelta[] {
  const one = hexOfBits([0x3f80_0000]);
  return [
    valid({ name: 'a model without tensors', tensors: [], base: '', indices: [], bits: [] }),
    valid({ name: 'a model of empty tensors', tensors: [0, 0], base: '', indices: [], bits: [] }),
    valid({ name: 'nothing changed', tensors: [6, 4], indices: [], bits: [] }),
    valid({
      name: 'nothing changed, mixed formats',
      tensors: [6, 4],
      indices: [],
      bits: [],
      formats: ['q8', 'f32'],
    }),
    valid({
      name: 'one weight, to the next number',
      tensors: [1],
      base: one,
      indices: [0],
      bits: [0x3f80_0001],
    }),
    valid({ name: 'one weight, 1 to −1', tensors: [1], base: one, indices: [0], bits: [0xbf80_0000] }),
    valid({ name: 'one weight, to itself', tensors: [1], base: one, indices: [0], bits: [0x3f80_0000] }),
  ];
}

function exact(): ValidDelta[] {
  const all = range(16);
  const weights: WeightsSpec = { formula: 'weights', count: 64 };
  const patterns: WeightsSpec = { formula: 'patterns', count: 300 };
  const signs = { name: 'f32: from each special pattern to the same with the other sign', tensors: [16] };
  return [
    ...[1, 5, 8].map((by) =>
      valid({
        name: `f32: from each special pattern to the one ${by} further`,
        tensors: [16],
        base: SPECIAL,
        indices: all,
        bits: rotated(SPECIAL_BITS, by),
      }),
    ),
    valid({
      ...signs,
      base: SPECIAL,
      indices: all,
      bits: SPECIAL_BITS.map((bits) => (bits ^ 0x8000_0000) >>> 0),
    }),
    valid({
      name: 'f32: all changed, by a few steps',
      tensors: [40, 24],
      indices: range(64),
      bits: moved(weights, range(64), (i) => stepsAt(i, 9)),
    }),
    valid({
      name: 'f32: small steps, and one of a length that has no symbol',
      tensors: [64],
      indices: [3, 9, 10, 11, 30, 41, 63],
      bits: moved(weights, [3, 9, 10, 11, 30, 41, 63], (i) => (i === 4 ? 0x40_0000 : 1 + i)),
    }),
    valid({
      name: 'f32: weights of all exponents',
      tensors: [300],
      base: patterns,
      indices: range(300).filter((i) => i % 3 !== 1),
      bits: moved(
        patterns,
        range(300).filter((i) => i % 3 !== 1),
        (i) => stepsAt(i, 4000),
      ),
    }),
  ];
}

function halves(): ValidDelta[] {
  const all = range(16);
  return (['f16', 'bf16'] as const).flatMap((formats) => {
    const numbers = formats === 'f16' ? FLOAT16_BITS : BFLOAT16_BITS;
    const bases = { 'special patterns': SPECIAL_BITS, 'weights that are hard to round': HARD_TO_ROUND_BITS };
    return Object.entries(bases).flatMap(([what, base]) =>
      [0, 3].map((by) =>
        valid({
          name: `${formats}: from ${what} to special numbers, ${by} further`,
          tensors: [16],
          base: hexOfBits(base),
          indices: all,
          bits: rotated(numbers, by),
          formats,
        }),
      ),
    );
  });
}

function scaledFormats(): ValidDelta[] {
  const weights: WeightsSpec = { formula: 'weights', count: 48 };
  const all = range(48);
  const ofFormat = (formats: ScaledFormat, stepsMax: number, scale: string): ValidDelta =>
    valid({
      name: `${formats}: steps of either sign, up to ${stepsMax}`,
      tensors: [48],
      indices: all,
      bits: scaled(weights, all, scale, (i) => (i === 0 ? stepsMax : stepsAt(i, stepsMax))),
      formats,
      scales: [scale],
    });
  // 2^24 where one step of 1 is half of the distance between numbers: ties to even; the largest; zeros; denormals.
  const corners = [
    0x4b80_0000, 0x4b80_0000, 0x4b80_0001, 0x4b80_0000, 0xcb80_0000, 0x7f7f_ffff, 0x8000_0000, 0x0000_0000,
    0x0000_0001, 0x807f_ffff, 0x3f80_0000, 0x3280_0000,
  ];
  const base = hexOfBits(corners);
  const cornerSteps = [1, 2, 1, 3, -1, 127, 0, 0, 1, -1, 1, -1];
  const cornersAt = (scale: string): ValidDelta =>
    valid({
      name: `q8: float32 rounding at scale ${scale}`,
      tensors: [corners.length],
      base,
      indices: range(corners.length),
      bits: scaled(base, range(corners.length), scale, (i) => cornerSteps[i]!),
      formats: 'q8',
      scales: [scale],
    });
  const twoScales = ['3a83', '3c23'];
  const halvesOfWeights = [all.slice(0, 24), all.slice(24)];
  return [
    ofFormat('q8', 127, '3a83'),
    ofFormat('q4', 7, '3c23'),
    // 1; the smallest, a denormal; the largest, with which most overflows.
    ...['3f80', '0001', '7f7f'].map(cornersAt),
    valid({
      name: 'q8: each tensor with a scale of its own',
      tensors: [24, 0, 24],
      indices: all,
      bits: halvesOfWeights.flatMap((part, i) =>
        scaled(weights, part, twoScales[i]!, (j) => stepsAt(j, 127)),
      ),
      formats: 'q8',
      scales: [twoScales[0]!, null, twoScales[1]!],
    }),
  ];
}

function mixed(): ValidDelta[] {
  const tensors = [6, 0, 6, 6, 5, 6, 7, 6, 6];
  const formats: ValueFormat[] = ['f32', 'f32', 'f16', 'bf16', 'q8', 'q8', 'q4', 'f32', 'f32'];
  // The first q8 tensor changes nowhere, so its scale does not travel; f32 comes back at the end, with what it learned.
  const scales = [null, null, null, null, null, '3a83', '3c23', null, null];
  const weights: WeightsSpec = { formula: 'weights', count: 48 };
  const parts = {
    f32: [0, 2, 5],
    f16: [6, 9],
    bf16: [12, 17],
    q8: [23, 24, 28],
    q4: [29, 35],
    f32Again: [36, 41, 42, 47],
  };
  return [
    valid({
      name: 'mixed formats, in runs of tensors',
      tensors,
      indices: Object.values(parts).flat(),
      bits: [
        ...moved(weights, parts.f32, (i) => 3 - i),
        ...[0x3e4c_c000, 0x8000_0000],
        ...[0x3e4d_0000, 0xbdcd_0000],
        ...scaled(weights, parts.q8, '3a83', (i) => [127, -1, 40][i]!),
        ...scaled(weights, parts.q4, '3c23', (i) => [-7, 2][i]!),
        ...moved(weights, parts.f32Again, (i) => stepsAt(i, 5)),
      ],
      formats,
      scales,
    }),
    valid({
      name: 'mixed formats, 130 tensors in one run',
      tensors: [...range(130).map(() => 1), 2],
      indices: [0, 129, 130, 131],
      bits: [0x3f80_0000, 0x3e4d_0000, 0x3e4c_c000, 0x3f80_0000],
      formats: [...range(130).map((): ValueFormat => 'bf16'), 'f16'],
    }),
  ];
}

function positions(): ValidDelta[] {
  const wide: WeightsSpec = { formula: 'weights', count: 2 ** 20 };
  const at = (name: string, base: WeightsSpec & object, indices: readonly number[]): ValidDelta =>
    valid({ name, tensors: [base.count], base, indices, bits: moved(base, indices, (i) => 1 + (i & 3)) });
  const clustered: WeightsSpec = { formula: 'weights', count: 20_000 };
  return [
    at('positions: the first of 2^20', wide, [0]),
    at('positions: the last of 2^20', wide, [2 ** 20 - 1]),
    // Next to each other the mean gap falls, so that a jump has a quotient of 16 and more.
    at('positions: neighbours, then a large jump, then neighbours', wide, [
      ...range(24),
      ...range(8).map((i) => 900_000 + i),
      2 ** 20 - 1,
    ]),
    at('positions: jumps on the edge of the escape symbol', { formula: 'weights', count: 400 }, [
      ...range(60),
      ...[75, 92, 110, 143, 179, 350],
    ]),
    // The first mean is 15/4, taken as 3; with the gap of 6 it is 18/5, and would be 21/5.
    at('positions: the first mean is rounded down', { formula: 'weights', count: 19 }, [6, 7, 8, 9]),
    // More than 128 gaps: the mean forgets.
    at(
      'positions: clusters far from each other',
      clustered,
      [...range(6)].flatMap((cluster) => range(50).map((i) => 3000 * cluster + 2 * i + (spread(i) & 1))),
    ),
    at('positions: ranked, 6 of 2^20', wide, [1, 30_011, 299_998, 300_000, 777_777, 2 ** 20 - 1]),
    at(
      'positions: ranked, 64 of 2^20',
      wide,
      range(64).map((i) => 16_384 * i + (spread(i) % 16_384)),
    ),
    at('positions: ranked, 40 of 41', { formula: 'weights', count: 41 }, [
      ...range(20),
      ...range(20).map((i) => 21 + i),
    ]),
    at(
      'positions: dense, then sparse',
      clustered,
      range(150).map((i) => (i < 100 ? 3 * i + (spread(i) % 3) : 300 + 380 * (i - 100) + (spread(i) % 380))),
    ),
  ];
}

const LONG_START = 200_006;

/** Models are rebuilt every 2,048 symbols by the end, and their counts have been halved twice. */
function long(): ValidDelta {
  const tensors = [30_000, 22_000];
  const base: WeightsSpec = { formula: 'weights', count: 52_000 };
  const indices = range(26_000).map((i) => 2 * i + (spread(i) >>> 31));
  const first = indices.filter((index) => index < tensors[0]!);
  // From where the rounding of halved counts shows in the bytes, which it mostly does not.
  const steps = (i: number): number => stepsAt(i + LONG_START, 1 + (spread(i + LONG_START) >>> 30) * 2);
  return valid({
    name: 'q8: 26,000 changes, where counts are halved',
    tensors,
    base,
    indices,
    bits: [
      ...scaled(base, first, '3a83', steps),
      ...scaled(base, indices.slice(first.length), '3b00', steps),
    ],
    formats: 'q8',
    scales: ['3a83', '3b00'],
  });
}
