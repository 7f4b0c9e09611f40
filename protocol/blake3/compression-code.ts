/**
 * The BLAKE3 compression function as WebAssembly, four inputs at a time: each vector holds the same state word of four
 * compressions, one per 32-bit lane. The function is section 2.2 of the BLAKE3 paper:
 * https://github.com/BLAKE3-team/BLAKE3-specs
 *
 * Inputs wait in a batch of up to 64. Memory, in bytes:
 *       0   message words of the present block, 16 vectors
 *     256   counter of each input, u32                                (in)
 *     512   chaining value of each input, 32 bytes                    (out)
 *    4096   the inputs, without gaps                                  (in)
 */
import {
  add,
  type Code,
  encodeModule,
  getLocal,
  i32,
  i32Add,
  i32IsZero,
  i32Multiply,
  i32Or,
  i32Subtract,
  ifNonZero,
  type Local,
  loadVector,
  loopWhile,
  or,
  permuteBytes,
  pickWords,
  setLocal,
  shiftLeft,
  shiftRight,
  splat,
  storeVector,
  teeLocal,
  xor,
} from './wasm-code.ts';

export const LANES = 4;
export const BLOCK_BYTES = 64;
export const CHUNK_BYTES = 1024;
export const CHAINING_VALUE_BYTES = 32;

/** Where the caller puts counters and inputs, and finds chaining values; how much there is room for. */
export const COUNTERS_AT = 256;
export const OUTPUT_AT = 512;
export const INPUT_AT = 4096;
export const BATCH_NODES_MAX = 64;
export const BATCH_BYTES_MAX = 16 * CHUNK_BYTES;
const MESSAGE_AT = 0;
const COUNTER_BYTES = 4;

export const FLAG_CHUNK_START = 1;
export const FLAG_CHUNK_END = 2;
export const FLAG_PARENT = 4;
export const FLAG_ROOT = 8;

const IV: readonly number[] = [
  ...[0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a],
  ...[0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19],
];
const MESSAGE_PERMUTATION: readonly number[] = [2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8];
const ROUNDS = 7;
const VECTOR_BYTES = 16;
const WORDS_PER_VECTOR = 4;

const FIRST: Local = 0;
const INPUT_BYTES: Local = 1;
const BLOCKS: Local = 2;
const LAST_BLOCK_BYTES: Local = 3;
const FLAGS: Local = 4;
const LAST_FLAGS: Local = 5;
/** Address of the present block of each lane. */
const ADDRESS: readonly Local[] = range(6, LANES);
const BLOCK_LENGTH: Local = 10;
const STATE: readonly Local[] = range(11, 16);
const CHAINING: readonly Local[] = range(27, 8);
const SCRATCH: readonly Local[] = range(35, 4);

const SHAPE = { parameterCount: 6, i32LocalCount: 5, vectorLocalCount: 28 };
const ZERO = i32(0);

/**
 * Compresses the four inputs of the batch from number `first` on, blocks of 64 bytes one after the other.
 * `firstFlags` are for the first block and `lastFlags` for the last one, which has `lastBlockBytes` bytes.
 */
export type RunCompression = (
  first: number,
  inputBytes: number,
  blocks: number,
  lastBlockBytes: number,
  firstFlags: number,
  lastFlags: number,
) => void;

/** The module whose `run` is a `RunCompression`. */
export function encodeCompression(): Uint8Array {
  return encodeModule(SHAPE, [
    ...ADDRESS.flatMap((local, lane) =>
      setLocal(
        local,
        i32Add(i32(INPUT_AT), i32Multiply(i32Add(getLocal(FIRST), i32(lane)), getLocal(INPUT_BYTES))),
      ),
    ),
    ...CHAINING.flatMap((local, word) => setLocal(local, splat(i32(IV[word]! | 0)))),
    ...setLocal(BLOCK_LENGTH, i32(BLOCK_BYTES)),
    ...loopWhile(getLocal(BLOCKS), [
      ...setLocal(BLOCKS, i32Subtract(getLocal(BLOCKS), i32(1))),
      ...ifNonZero(i32IsZero(getLocal(BLOCKS)), [
        ...setLocal(FLAGS, i32Or(getLocal(FLAGS), getLocal(LAST_FLAGS))),
        ...setLocal(BLOCK_LENGTH, getLocal(LAST_BLOCK_BYTES)),
      ]),
      ...loadMessage(),
      ...loadState(),
      ...rounds(),
      ...CHAINING.flatMap((local, word) =>
        setLocal(local, xor(getLocal(STATE[word]!), getLocal(STATE[word + 8]!))),
      ),
      ...setLocal(FLAGS, ZERO),
      ...ADDRESS.flatMap((local) => setLocal(local, i32Add(getLocal(local), i32(BLOCK_BYTES)))),
    ]),
    ...storeChainingValues(),
  ]);
}

/**
 * The message stays in memory, word by word: in locals it makes the engine, which has 15 vector registers, spill
 * (1.6 GB/s instead of 2.2).
 */
function loadMessage(): Code {
  return range(0, BLOCK_BYTES / VECTOR_BYTES).flatMap((quarter) =>
    transpose(
      ADDRESS.map((address) => loadVector(getLocal(address), quarter * VECTOR_BYTES)),
      (word, vector) =>
        storeVector(ZERO, MESSAGE_AT + (quarter * WORDS_PER_VECTOR + word) * VECTOR_BYTES, vector),
    ),
  );
}

function loadState(): Code {
  const initial = [
    ...CHAINING.map(getLocal),
    ...IV.slice(0, 4).map((word) => splat(i32(word | 0))),
    loadVector(i32Multiply(getLocal(FIRST), i32(COUNTER_BYTES)), COUNTERS_AT),
    // The high half of the counter: inputs stay far below 2^32 chunks.
    splat(ZERO),
    splat(getLocal(BLOCK_LENGTH)),
    splat(getLocal(FLAGS)),
  ];
  return initial.flatMap((value, word) => setLocal(STATE[word]!, value));
}

function rounds(): Code {
  const code: number[] = [];
  let message = range(0, 16);
  for (let round = 0; round < ROUNDS; round++) {
    for (let column = 0; column < 4; column++) {
      const [a, b, c, d] = [0, 4, 8, 12].map((row) => row + column);
      code.push(...quarterRound([a!, b!, c!, d!], message[2 * column]!, message[2 * column + 1]!));
    }
    for (let column = 0; column < 4; column++) {
      const [a, b, c, d] = [0, 4, 8, 12].map((row, shift) => row + ((column + shift) % 4));
      code.push(...quarterRound([a!, b!, c!, d!], message[8 + 2 * column]!, message[9 + 2 * column]!));
    }
    message = MESSAGE_PERMUTATION.map((from) => message[from]!);
  }
  return code;
}

/**
 * The function G on the state words `words`. One G after the other, not four interleaved: the processor overlaps them
 * by itself, and fewer values are alive at once.
 */
function quarterRound(words: readonly [number, number, number, number], x: number, y: number): Code {
  const [a, b, c, d] = words.map((word) => STATE[word]!) as [Local, Local, Local, Local];
  const message = (word: number) => loadVector(ZERO, MESSAGE_AT + word * VECTOR_BYTES);
  const half = (word: number, rotateD: (v: Code) => Code, rotateB: (v: Code) => Code): Code => [
    ...setLocal(a, add(add(getLocal(a), message(word)), getLocal(b))),
    ...setLocal(d, rotateD(xor(getLocal(d), getLocal(a)))),
    ...setLocal(c, add(getLocal(c), getLocal(d))),
    ...setLocal(b, rotateB(xor(getLocal(b), getLocal(c)))),
  ];
  return [
    ...half(
      x,
      (vector) => rotateBytes(vector, 2),
      (vector) => rotateBits(vector, 12),
    ),
    ...half(
      y,
      (vector) => rotateBytes(vector, 1),
      (vector) => rotateBits(vector, 7),
    ),
  ];
}

/** Each word rotated right by whole bytes: a swizzle with a constant, which is one `pshufb` where a shuffle is more. */
function rotateBytes(vector: Code, bytes: number): Code {
  return permuteBytes(
    vector,
    range(0, VECTOR_BYTES).map((at) => (at & ~3) | ((at + bytes) & 3)),
  );
}

function rotateBits(vector: Code, bits: number): Code {
  const scratch = SCRATCH[0]!;
  return or(shiftRight(teeLocal(scratch, vector), bits), shiftLeft(getLocal(scratch), 32 - bits));
}

function storeChainingValues(): Code {
  const base = i32Multiply(getLocal(FIRST), i32(CHAINING_VALUE_BYTES));
  return [0, 1].flatMap((half) =>
    transpose(CHAINING.slice(4 * half, 4 * half + 4).map(getLocal), (lane, vector) =>
      storeVector(base, OUTPUT_AT + lane * CHAINING_VALUE_BYTES + half * VECTOR_BYTES, vector),
    ),
  );
}

/** Four vectors as the rows of a 4 × 4 matrix of words; `store` is given its columns. Overwrites part of the state. */
function transpose(rows: readonly Code[], store: (column: number, vector: Code) => Code): Code {
  const [r0, r1, r2, r3] = STATE.slice(0, 4).map(getLocal) as [Code, Code, Code, Code];
  const [low01, high01, low23, high23] = SCRATCH.map(getLocal) as [Code, Code, Code, Code];
  return [
    ...rows.flatMap((row, at) => setLocal(STATE[at]!, row)),
    ...setLocal(SCRATCH[0]!, pickWords(r0, r1, [0, 4, 1, 5])),
    ...setLocal(SCRATCH[1]!, pickWords(r0, r1, [2, 6, 3, 7])),
    ...setLocal(SCRATCH[2]!, pickWords(r2, r3, [0, 4, 1, 5])),
    ...setLocal(SCRATCH[3]!, pickWords(r2, r3, [2, 6, 3, 7])),
    ...store(0, pickWords(low01, low23, [0, 1, 4, 5])),
    ...store(1, pickWords(low01, low23, [2, 3, 6, 7])),
    ...store(2, pickWords(high01, high23, [0, 1, 4, 5])),
    ...store(3, pickWords(high01, high23, [2, 3, 6, 7])),
  ];
}

function range(first: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => first + i);
}
