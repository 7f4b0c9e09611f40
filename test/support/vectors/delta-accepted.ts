/** Payloads that our encoder does not write and every decoder takes: what is the sender's choice, and what follows. */
import { acceptedCoderDeltas } from './delta-accepted-coder.ts';
import { type AcceptedDelta, acceptedDelta, type DeltaContext } from './delta-vector.ts';
import { RawPayload } from './raw-payload.ts';
import { hexOfBits } from './vector-weights.ts';

/** Header bytes: format, count, stepExponent. */
const F32 = 0;
const F16 = 1;
const BF16 = 2;
const Q8 = 3;
const MIXED = 7;

const ONE_BITS = 0x3f80_0000;
const ONE = hexOfBits([ONE_BITS]);
const FOUR_ONES = hexOfBits([ONE_BITS, ONE_BITS, ONE_BITS, ONE_BITS]);
/** Of f32 at weights of 1 with a stepExponent of 104: 104 − 127 + 23, raised to the least that there is. */
const EXPECTED_LENGTH = 1;
const STEP_EXPONENT = 104;

export function acceptedDeltas(): AcceptedDelta[] {
  return [...headers(), ...positions(), ...ends(), ...acceptedCoderDeltas(), ...lengths(), ...scales()];
}

function headers(): AcceptedDelta[] {
  const tensors = [2, 1, 1];
  const write = (header: readonly number[]): Uint8Array =>
    new RawPayload(header).indices([0, 3], 4).steps([1, -2], EXPECTED_LENGTH).finish();
  const context = (name: string): DeltaContext => ({ name, tensors, base: FOUR_ONES });
  return [
    acceptedDelta(context('one format for all, said as mixed'), write([MIXED, 3, F32, 2, STEP_EXPONENT])),
    acceptedDelta(
      context('one format for all, said tensor by tensor'),
      write([MIXED, 1, F32, 1, F32, 1, F32, 2, STEP_EXPONENT]),
    ),
    acceptedDelta(context('a stepExponent that fits badly: 0'), write([F32, 2, 0])),
    acceptedDelta(
      context('a stepExponent that fits badly: 255'),
      new RawPayload([F32, 2, 255]).indices([0, 3], 4).steps([1, -2], 31).finish(),
    ),
    acceptedDelta(
      { name: 'scaled only: stepExponent says nothing', tensors: [1], base: ONE },
      new RawPayload([Q8, 1, 200]).indices([0], 1).bits(0x3c00, 16).steps([3], 5).finish(),
    ),
  ];
}

/** Either coding of positions is right where both are possible. */
function positions(): AcceptedDelta[] {
  const tensors = [100];
  const base = hexOfBits(new Array<number>(100).fill(ONE_BITS));
  const neighbours = Array.from({ length: 30 }, (_, i) => i);
  const apart = [3, 40, 41, 77, 90, 99];
  return [
    acceptedDelta(
      { name: 'a rank where gaps are shorter', tensors, base },
      new RawPayload([F32 | 8, 30, STEP_EXPONENT])
        .rank(neighbours, 100)
        .steps(new Array<number>(30).fill(1), EXPECTED_LENGTH)
        .finish(),
    ),
    acceptedDelta(
      {
        name: 'gaps where a rank is shorter',
        tensors,
        base,
      },
      new RawPayload([F32, 6, STEP_EXPONENT]).indices(apart, 100).steps([1, 1, 1, 1, 1, 1], 1).finish(),
    ),
    acceptedDelta(
      { name: 'a rank behind mixed formats', tensors: [2, 1, 1], base: FOUR_ONES },
      new RawPayload([MIXED | 8, 3, F32, 2, STEP_EXPONENT]).rank([0, 3], 4).steps([1, -2], 1).finish(),
    ),
  ];
}

function ends(): AcceptedDelta[] {
  const context = (name: string): DeltaContext => ({ name, tensors: [4], base: FOUR_ONES });
  const write = (between: readonly number[]): Uint8Array =>
    new RawPayload([F32, 2, STEP_EXPONENT])
      .indices([0, 3], 4)
      .steps([1, -2], EXPECTED_LENGTH)
      .finish(between);
  return [
    acceptedDelta(context('symbols that end later than they could: one byte 00 more'), write([0])),
    acceptedDelta(context('symbols that end later than they could: two bytes ff more'), write([0xff, 0xff])),
  ];
}

function lengths(): AcceptedDelta[] {
  const one = (name: string, write: (payload: RawPayload) => RawPayload, format = F32): AcceptedDelta =>
    acceptedDelta(
      { name, tensors: [1], base: ONE },
      write(new RawPayload([format, 1, STEP_EXPONENT]).indices([0], 1)).finish(),
    );
  return [
    one('a length behind the escape symbol that has a symbol', (payload) =>
      payload.stepEscape(3).bits(0b01, 2),
    ),
    one('no steps, behind the escape symbol', (payload) => payload.stepEscape(0)),
    one('no steps, with a minus', (payload) => payload.stepEscape(0, true)),
    one('2^32 − 1 steps forward are one back', (payload) => payload.stepEscape(32).bits(0x7fff_ffff, 31)),
    one('2^31 steps back and forward are the same', (payload) => payload.stepEscape(32).bits(0, 31)),
    one(
      'f16: 2^32 − 1 steps forward are one back',
      (payload) => payload.stepEscape(32).bits(0x7fff_ffff, 31),
      F16,
    ),
    one(
      'f16: 48,128 steps back from 1, to the first number',
      (payload) => payload.stepEscape(16, true).bits(48_128 & 0x7fff, 15),
      F16,
    ),
    one(
      'bf16: 2^32 − 2 steps back are two forward',
      (payload) => payload.stepEscape(32, true).bits(0x7fff_fffe, 31),
      BF16,
    ),
  ];
}

function scales(): AcceptedDelta[] {
  const ofWeight = (
    name: string,
    bits: number,
    scale: number,
    write: (payload: RawPayload) => RawPayload,
  ): AcceptedDelta =>
    acceptedDelta(
      { name, tensors: [1], base: hexOfBits([bits]) },
      write(new RawPayload([Q8, 1, 0]).indices([0], 1).bits(scale, 16)).finish(),
    );
  return [
    // 2^24 + 1 steps of 1.5 are 25,165,825.5: float32 has the even numbers there.
    ofWeight(
      'q8: more steps than senders keep to, rounded before they are added',
      ONE_BITS,
      0x3fc0,
      (payload) => payload.stepEscape(25).bits(1, 24),
    ),
    ofWeight('q8: steps that overflow to infinity', 0x7f7f_ffff, 0x7f7f, (payload) =>
      payload.steps([127], 5),
    ),
    ofWeight('q8: ∞ stays ∞', 0x7f80_0000, 0x3c00, (payload) => payload.steps([-127], 5)),
    ofWeight('q8: no steps from −0 are +0', 0x8000_0000, 0x3c00, (payload) => payload.steps([0], 5)),
    ofWeight('q8: 2^32 − 1 steps forward are one back', ONE_BITS, 0x3c00, (payload) =>
      payload.stepEscape(32).bits(0x7fff_ffff, 31),
    ),
  ];
}
