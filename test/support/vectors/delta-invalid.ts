/** Payloads that a decoder must refuse, for every reason that it can have. */
import { decodeDeltaPayload } from '@freshet/protocol/delta-payload';
import { FreshetError } from '@freshet/protocol/errors';
import { contextOf, type DeltaContext, type InvalidDelta } from './delta-vector.ts';
import { hexOf } from './hex.ts';
import { GAP_ESCAPE, RawPayload } from './raw-payload.ts';
import { hexOfBits } from './vector-weights.ts';

const STEP_EXPONENT = 104;
/** Of f32 at weights of 1 with this stepExponent. */
const EXPECTED_LENGTH = 1;
const ONE_BITS = 0x3f80_0000;
const F32_ONE = [0, 1, STEP_EXPONENT];

function invalid(context: DeltaContext, payload: Uint8Array): InvalidDelta {
  const { layout, base } = contextOf(context);
  try {
    decodeDeltaPayload(payload, base, layout);
  } catch (error) {
    if (!(error instanceof FreshetError)) throw error;
    return { ...context, payload: hexOf(payload), code: error.code, reason: error.message };
  }
  throw new TypeError(`"${context.name}" is not invalid`);
}

export function invalidDeltas(): InvalidDelta[] {
  return [...headers(), ...counts(), ...ranks(), ...positions(), ...steps(), ...values(), ...ends()];
}

function ofOnes(name: string, tensors: readonly number[], payload: Uint8Array): InvalidDelta {
  const count = tensors.reduce((sum, each) => sum + each, 0);
  return invalid({ name, tensors, base: hexOfBits(new Array<number>(count).fill(ONE_BITS)) }, payload);
}

function headers(): InvalidDelta[] {
  const of = (name: string, ...bytes: readonly number[]): InvalidDelta =>
    ofOnes(name, [2, 2], Uint8Array.from(bytes));
  return [
    of('no byte'),
    of('the end after the format', 0),
    of('the end inside the count', 0, 0x80),
    of('the end before stepExponent', 0, 1),
    of('the end inside the formats', 7, 1, 0),
    of('the end before the format of a run', 7, 1),
    ...[5, 6, 13, 16, 0x80, 0xff].map((format) => of(`format ${format}`, format, 0)),
    of('a rank for no positions', 8, 0),
    of('format 7 in a run', 7, 2, 7, 0),
    of('a run of no tensors', 7, 0, 0, 2, 0, 0),
    of('a run of more tensors than there are', 7, 3, 0, 0),
    of('runs of more tensors than there are', 7, 1, 0, 2, 0, 0),
    of('a run of 2^32 − 1 tensors', 7, 0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0),
    of('a count of 0 in two bytes', 0, 0x80, 0),
    of('a run that is not in its shortest form', 7, 0x82, 0, 0, 0),
    of('a count of 2^32', 0, 0x80, 0x80, 0x80, 0x80, 0x10, STEP_EXPONENT, 0),
    of('a count of six bytes', 0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01, STEP_EXPONENT, 0),
  ];
}

function counts(): InvalidDelta[] {
  const many = { tensors: [2 ** 20], base: { formula: 'weights', count: 2 ** 20 } } as const;
  return [
    ofOnes('more changes than weights', [4], Uint8Array.of(0, 5, STEP_EXPONENT, 0, 0)),
    ofOnes('a change in a model without weights', [], Uint8Array.of(0, 1, STEP_EXPONENT, 0)),
    ofOnes('nothing behind the header', [4], Uint8Array.of(0, 1, STEP_EXPONENT)),
    // 9 > 8 · 1, and 2^20 > 8 · 2.
    ofOnes('more changes than bits: 9 in a byte', [9], Uint8Array.of(0, 9, STEP_EXPONENT, 0)),
    invalid(
      { name: 'more changes than bits: 2^20 in two bytes', ...many },
      Uint8Array.of(0, 0x80, 0x80, 0x40, STEP_EXPONENT, 0, 0),
    ),
    ofOnes('a byte behind no changes', [4], Uint8Array.of(0, 0, 0)),
  ];
}

function ranks(): InvalidDelta[] {
  const first64 = Array.from({ length: 64 }, (_, i) => i);
  const ofBits = (name: string, elementCount: number, count: number, rank: number, bitCount: number) =>
    ofOnes(
      name,
      [elementCount],
      new RawPayload([8, count, STEP_EXPONENT]).bits(rank, bitCount).steps([1, 1], EXPECTED_LENGTH).finish(),
    );
  return [
    // C(5, 2) is 10.
    ofBits('a rank that no set has, by one', 5, 2, 10, 4),
    ofBits('a rank that no set has: all bits', 5, 2, 15, 4),
    ofOnes(
      'a rank for 65 positions',
      [65],
      new RawPayload([8, 65, STEP_EXPONENT])
        .rank([...first64, 64], 65)
        .steps(new Array<number>(65).fill(1), EXPECTED_LENGTH)
        .finish(),
    ),
    ofOnes('the end inside a rank', [400], Uint8Array.of(8, 2, STEP_EXPONENT, 0)),
  ];
}

function positions(): InvalidDelta[] {
  const wide: DeltaContext = {
    name: '',
    tensors: [2 ** 20],
    base: { formula: 'weights', count: 2 ** 20 },
  };
  return [
    ofOnes(
      'a position one behind the last',
      [4],
      new RawPayload(F32_ONE).indices([4], 4).steps([1], EXPECTED_LENGTH).finish(),
    ),
    ofOnes(
      'a second position behind the last',
      [4],
      new RawPayload([0, 2, STEP_EXPONENT]).indices([3, 4], 4).steps([1, 1], EXPECTED_LENGTH).finish(),
    ),
    // Gap code of 28 bits 0 is the longest: 2^28 + 2^28 − 1 and more.
    ofOnes(
      'a position far behind the last',
      [1],
      new RawPayload(F32_ONE)
        .gapSymbol(GAP_ESCAPE)
        .bits(2 ** 28, 29)
        .bits(2 ** 28 - 1, 28)
        .bits(0, 8)
        .finish(),
    ),
    invalid(
      { ...wide, name: 'a position beyond 2^32' },
      // Cut at 19: a quotient of 16 + E = 2^14, so 2^33 + 5, which modulo 2^32 would be within the weights.
      new RawPayload(F32_ONE)
        .gapSymbol(GAP_ESCAPE, 19)
        .bits(2 ** 13, 14)
        .bits(2 ** 13 - 15, 13)
        .bits(5, 19)
        .steps([1], EXPECTED_LENGTH)
        .finish(),
    ),
    ofOnes(
      'a gap of 29 bits',
      [1],
      new RawPayload(F32_ONE).gapSymbol(GAP_ESCAPE).bits(0, 29).bits(1, 1).bits(0, 30).finish(),
    ),
    // 32 bits 0 and 33 bits of E + 1 = 2^32: in arithmetic on 32 bits E would be 0, and the gap the 16 of the symbol.
    ofOnes(
      'a gap code of 32 bits 0, which modulo 2^32 would lead to a weight',
      [100],
      afterNeighbours(70)
        .gapSymbol(GAP_ESCAPE)
        .bits(0, 32)
        .bits(1, 1)
        .bits(0, 32)
        .steps(new Array<number>(71).fill(1), EXPECTED_LENGTH)
        .finish(),
    ),
    ofOnes('a gap that never ends', [1], new RawPayload(F32_ONE).gapSymbol(GAP_ESCAPE).bits(0, 16).finish()),
    invalid(
      { ...wide, name: 'the end inside the lower bits of a gap' },
      Uint8Array.of(0, 1, STEP_EXPONENT, 0, 0),
    ),
  ];
}

/** `count` positions from 0 on of 100 weights, with one more to come. */
function afterNeighbours(count: number): RawPayload {
  const payload = new RawPayload([0, count + 1, STEP_EXPONENT]);
  // More than half change: gaps are cut at bit 0 from the beginning.
  for (let i = 0; i < count; i++) payload.gapSymbol(0);
  return payload;
}

function steps(): InvalidDelta[] {
  const one = (name: string, write: (payload: RawPayload) => RawPayload): InvalidDelta =>
    ofOnes(name, [1], write(new RawPayload(F32_ONE).indices([0], 1)).finish());
  return [
    // L = x + expected with x = ⌊symbol / 4⌋ − 6 = −2.
    one('a step of −1 bits', (payload) => payload.stepSymbol(4 * 4).bits(0, 1)),
    one('a step of 33 bits behind the escape symbol', (payload) => payload.stepEscape(33).bits(0, 32)),
    one('a step of 63 bits behind the escape symbol', (payload) =>
      payload.stepEscape(63).bits(0, 32).bits(0, 30),
    ),
    ofOnes(
      'a step of 37 bits with a symbol',
      [1],
      // Expected are 31 at most, and 6 more have a symbol.
      new RawPayload([0, 1, 255])
        .indices([0], 1)
        .stepSymbol(12 * 4)
        .bits(0, 1)
        .bits(0, 32)
        .finish(),
    ),
    one('the end inside a magnitude', (payload) => payload.stepEscape(32)),
  ];
}

function values(): InvalidDelta[] {
  const halves = [
    // +NaN with all fraction bits is the last number of its format, −NaN the first.
    { name: 'f16: a step beyond the last number', format: 1, bits: 0x7fff_e000, steps: [1] },
    { name: 'f16: a step before the first number', format: 1, bits: 0xffff_e000, steps: [-1] },
    { name: 'bf16: a step beyond the last number', format: 2, bits: 0x7fff_0000, steps: [1] },
    { name: 'bf16: a step before the first number', format: 2, bits: 0xffff_0000, steps: [-1] },
  ];
  const scaled = (name: string, bits: number, scale: number, each: number): InvalidDelta =>
    invalid(
      { name, tensors: [1], base: hexOfBits([bits]) },
      new RawPayload([3, 1, 0]).indices([0], 1).bits(scale, 16).steps([each], 5).finish(),
    );
  return [
    ...halves.map(({ name, format, bits, steps: each }) =>
      invalid(
        { name, tensors: [1], base: hexOfBits([bits]) },
        // Expected is 1 all the same: STEP_EXPONENT − 255 + 10 or 7 is less.
        new RawPayload([format, 1, STEP_EXPONENT]).indices([0], 1).steps(each, EXPECTED_LENGTH).finish(),
      ),
    ),
    ofOnes(
      'f16: 48,129 steps back from 1',
      [1],
      // 1 is number 15,360 of float16, and 15,360 − 48,129 is one below −32,768.
      new RawPayload([1, 1, STEP_EXPONENT])
        .indices([0], 1)
        .stepEscape(16, true)
        .bits(48_129 & 0x7fff, 15)
        .finish(),
    ),
    scaled('a scale of 0', ONE_BITS, 0, 1),
    scaled('a negative scale', ONE_BITS, 0xbf80, 1),
    scaled('an infinite scale', ONE_BITS, 0x7f80, 1),
    scaled('a scale that is no number', ONE_BITS, 0x7fc0, 1),
    scaled('q8: from NaN', 0x7fc0_0000, 0x3f80, 1),
    invalid(
      { name: 'q8: ∞ minus ∞', tensors: [1], base: hexOfBits([0xff80_0000]) },
      new RawPayload([3, 1, 0]).indices([0], 1).bits(0x7f7f, 16).steps([127], 5).finish(),
    ),
    ofOnes('the end inside a scale', [1], Uint8Array.of(3, 1, 0, 0)),
  ];
}

function ends(): InvalidDelta[] {
  const write = (between: readonly number[]): Uint8Array =>
    new RawPayload([0, 2, STEP_EXPONENT]).indices([0, 3], 4).steps([1, -2], EXPECTED_LENGTH).finish(between);
  return [
    ofOnes('a difference of −1: a byte between symbols and raw bits', [4], write([0, 0, 0, 0])),
    ofOnes('a difference of −2: two bytes between symbols and raw bits', [4], write([0, 0, 0, 0, 0])),
    ofOnes('a difference of 5 and more: a byte of the symbols is missing', [4], overlapping()),
  ];
}

/** A payload whose raw bits lie where the last of the symbols should: a shorter one that decodes up to its end. */
function overlapping(): Uint8Array {
  const { layout, base } = contextOf({ tensors: [4], base: hexOfBits(new Array<number>(4).fill(ONE_BITS)) });
  const header = [0, 4, STEP_EXPONENT];
  for (let body = 0; body < 2 ** 16; body++) {
    const payload = Uint8Array.from([...header, body >> 8, body & 0xff]);
    try {
      decodeDeltaPayload(payload, base, layout);
    } catch (error) {
      if (error instanceof FreshetError && error.message.endsWith('do not meet')) return payload;
    }
  }
  throw new TypeError('no payload of two bytes overlaps');
}
