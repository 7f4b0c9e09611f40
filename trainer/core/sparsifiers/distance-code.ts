/**
 * WebAssembly that compares two blocks of floats with a bound: bit i of the result is set where |a[i] − b[i]| < bound.
 * Four at a time, which no JavaScript engine makes of a loop. Its memory holds the blocks and the result.
 */
import {
  absoluteFloats,
  bitmask,
  type Code,
  encodeModule,
  getLocal,
  i32,
  i32Add,
  i32Or,
  i32ShiftLeft,
  i32Subtract,
  lessFloats,
  loadVector,
  loopWhile,
  setLocal,
  splat,
  storeWord,
  subtractFloats,
  teeLocal,
} from '@freshet/protocol/blake3/wasm-code';

/** Floats of a block: both blocks and the result stay in the nearest caches. */
export const BLOCK_FLOATS = 4096;
/** Floats whose comparison fills one word of the result. */
export const WORD_FLOATS = 32;

const FLOAT_BYTES = 4;
const VECTOR_FLOATS = 4;
/** Places in the memory, in bytes. */
export const LEFT_AT = 0;
export const RIGHT_AT = BLOCK_FLOATS * FLOAT_BYTES;
export const RESULT_AT = 2 * RIGHT_AT;

/** Compares `wordCount` · 32 floats, one word at least, with the float whose pattern is `boundBits`. */
export type RunDistances = (wordCount: number, boundBits: number) => void;

const WORDS_LEFT = 0;
const BOUND_BITS = 1;
const FLOATS_AT = 2;
const WORD_AT = 3;
const BOUND = 4;

/** The module; it imports its memory, of one page, as `host.memory` and exports `run`, a `RunDistances`. */
export function encodeDistances(): Uint8Array {
  return encodeModule({ parameterCount: 2, i32LocalCount: 2, vectorLocalCount: 1 }, [
    ...setLocal(BOUND, splat(getLocal(BOUND_BITS))),
    ...loopWhile(teeLocal(WORDS_LEFT, i32Subtract(getLocal(WORDS_LEFT), i32(1))), [
      ...storeWord(getLocal(WORD_AT), RESULT_AT, compareWord()),
      ...setLocal(FLOATS_AT, i32Add(getLocal(FLOATS_AT), i32(WORD_FLOATS * FLOAT_BYTES))),
      ...setLocal(WORD_AT, i32Add(getLocal(WORD_AT), i32(FLOAT_BYTES))),
    ]),
  ]);
}

function compareWord(): Code {
  const vectors = Array.from({ length: WORD_FLOATS / VECTOR_FLOATS }, (_, i) =>
    i32ShiftLeft(bitmask(compareVector(i * VECTOR_FLOATS * FLOAT_BYTES)), i * VECTOR_FLOATS),
  );
  return vectors.reduce((word, bits) => i32Or(word, bits));
}

function compareVector(offset: number): Code {
  const left = loadVector(getLocal(FLOATS_AT), LEFT_AT + offset);
  const right = loadVector(getLocal(FLOATS_AT), RIGHT_AT + offset);
  return lessFloats(absoluteFloats(subtractFloats(left, right)), getLocal(BOUND));
}
