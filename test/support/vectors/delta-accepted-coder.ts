/** Payloads that our encoder does not write and every decoder takes: what the range coder and the raw bits leave open. */
import { type AcceptedDelta, acceptedDelta } from './delta-vector.ts';
import { RawPayload } from './raw-payload.ts';
import { hexOfBits } from './vector-weights.ts';

const F32 = 0;
const Q8 = 3;
/** Positions are a rank: of no bits where all weights change. */
const F32_RANKED = 8;
/** Of f32 at weights of 1: 104 − 127 + 23, raised to the least that there is. */
const STEP_EXPONENT = 104;
const EXPECTED_LENGTH = 1;
const HEADER = [F32, 2, STEP_EXPONENT];

const ONE_BITS = 0x3f80_0000;
const ONE = hexOfBits([ONE_BITS]);
const FOUR_ONES = hexOfBits([ONE_BITS, ONE_BITS, ONE_BITS, ONE_BITS]);

export function acceptedCoderDeltas(): AcceptedDelta[] {
  return [...starts(), ...ends(), ...padding(), ...leads(), minusZero()];
}

const twoSteps = (): RawPayload => new RawPayload(HEADER).indices([0, 3], 4).steps([1, -2], EXPECTED_LENGTH);

function starts(): AcceptedDelta[] {
  const highBit = twoSteps().finish();
  highBit[HEADER.length]! |= 0x80;
  // Of another exponent each, so that every one has a model that has seen nothing.
  const halved = hexOfBits([0x3f80_0000, 0x3f00_0000, 0x3e80_0000, 0x3e00_0000]);
  return [
    acceptedDelta(
      { name: 'the highest bit of the first code byte is set', tensors: [4], base: FOUR_ONES },
      highBit,
    ),
    acceptedDelta(
      { name: 'a code that starts with 31 bits 1, which counts as one less', tensors: [4], base: halved },
      Uint8Array.of(F32_RANKED, 4, STEP_EXPONENT, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0),
    ),
  ];
}

/** The difference of PROTOCOL.md §4.3 between where the symbols end and where the raw bits do. */
function ends(): AcceptedDelta[] {
  return [
    // The symbols need the first code byte only, and four are read.
    acceptedDelta(
      { name: 'a difference of 0: symbols and raw bits meet', tensors: [4], base: FOUR_ONES },
      twoSteps().finish([0, 0, 0]),
    ),
    // 0x68 is all of the code, with zeros behind it: 5 steps. With ones behind it they would be 6. And it is the raw bits,
    // of which only the lowest is needed.
    acceptedDelta(
      {
        name: 'a difference of 4: one byte for symbols and raw bits, and zeros behind the end',
        tensors: [1],
        base: ONE,
      },
      Uint8Array.of(F32_RANKED, 1, STEP_EXPONENT, 0x68),
    ),
  ];
}

function padding(): AcceptedDelta[] {
  return [
    // Two steps take a bit each; six of the byte are left over.
    acceptedDelta(
      { name: 'bits 1 left over in the last byte of raw bits', tensors: [4], base: FOUR_ONES },
      twoSteps().bits(0b11_1111, 6).finish(),
    ),
  ];
}

/** A step of L < 3 bits has no two bits behind its leading one, and the symbol has them all the same. */
function leads(): AcceptedDelta[] {
  const symbolOf = (length: number, lead: number): number => 4 * (length - EXPECTED_LENGTH + 6) + lead;
  const one = (name: string, length: number, lead: number): AcceptedDelta =>
    acceptedDelta(
      { name, tensors: [1], base: ONE },
      new RawPayload([F32, 1, STEP_EXPONENT])
        .indices([0], 1)
        .stepSymbol(symbolOf(length, lead))
        .bits(0, 1)
        .finish(),
    );
  return [
    one('a lead of 3 for no steps', 0, 3),
    one('a lead of 3 for one step', 1, 3),
    one('a lead of 1 for two steps', 2, 1),
    one('a lead of 3 for three steps', 2, 3),
  ];
}

function minusZero(): AcceptedDelta {
  // Expected are 5 bits: x = −5 is symbol 4.
  return acceptedDelta(
    { name: 'q8: no steps, with a minus, from −0 are +0', tensors: [1], base: hexOfBits([0x8000_0000]) },
    new RawPayload([Q8, 1, 0]).indices([0], 1).bits(0x3c00, 16).stepSymbol(4).bits(1, 1).finish(),
  );
}
