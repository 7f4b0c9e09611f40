/**
 * A small WebAssembly assembler: instructions as functions that return their bytes, operands first, so that code reads
 * like an expression. It knows what our few kernels need and nothing else; the engine validates the result.
 * Opcodes: https://webassembly.github.io/spec/core/binary/instructions.html
 */

/** Instructions, in the binary format. */
export type Code = readonly number[];

/** Number of a local variable; parameters come first. */
export type Local = number;

const I32 = 0x7f;
const V128 = 0x7b;
const NO_RESULT = 0x40;

export const getLocal = (local: Local): Code => [0x20, ...uleb128(local)];
export const setLocal = (local: Local, value: Code): Code => [...value, 0x21, ...uleb128(local)];
/** Sets `local` and leaves the value on the stack. */
export const teeLocal = (local: Local, value: Code): Code => [...value, 0x22, ...uleb128(local)];

/** Runs `body` once, and again each time when `again` is not 0 at its end. */
export const loopWhile = (again: Code, body: Code): Code => [
  ...[0x03, NO_RESULT, ...body, ...again],
  ...[0x0d, 0, 0x0b],
];
export const ifNonZero = (condition: Code, body: Code): Code => [
  ...condition,
  0x04,
  NO_RESULT,
  ...body,
  0x0b,
];

export const i32 = (value: number): Code => [0x41, ...sleb128(value)];
export const i32IsZero = (value: Code): Code => [...value, 0x45];
export const i32Add = (left: Code, right: Code): Code => [...left, ...right, 0x6a];
export const i32Subtract = (left: Code, right: Code): Code => [...left, ...right, 0x6b];
export const i32Multiply = (left: Code, right: Code): Code => [...left, ...right, 0x6c];
export const i32Or = (left: Code, right: Code): Code => [...left, ...right, 0x72];
export const i32ShiftLeft = (value: Code, bits: number): Code => [...value, ...i32(bits), 0x74];
/** Stores a word at `address` + `offset`, a multiple of 4. */
export const storeWord = (address: Code, offset: number, value: Code): Code => [
  ...address,
  ...value,
  ...[0x36, 2, ...uleb128(offset)],
];

/** The 16 bytes at `address` + `offset`, which need not be aligned. */
export const loadVector = (address: Code, offset: number): Code => [
  ...address,
  ...simd(0),
  ...[0, ...uleb128(offset)],
];
export const storeVector = (address: Code, offset: number, value: Code): Code => [
  ...address,
  ...value,
  ...simd(11),
  ...[0, ...uleb128(offset)],
];
export const splat = (word: Code): Code => [...word, ...simd(17)];
export const add = (left: Code, right: Code): Code => [...left, ...right, ...simd(174)];
export const or = (left: Code, right: Code): Code => [...left, ...right, ...simd(80)];
export const xor = (left: Code, right: Code): Code => [...left, ...right, ...simd(81)];
export const shiftLeft = (words: Code, bits: number): Code => [...words, ...i32(bits), ...simd(171)];
export const shiftRight = (words: Code, bits: number): Code => [...words, ...i32(bits), ...simd(173)];

/** On vectors of four binary32 numbers. */
export const subtractFloats = (left: Code, right: Code): Code => [...left, ...right, ...simd(229)];
export const absoluteFloats = (value: Code): Code => [...value, ...simd(224)];
/** All bits of a word are 1 where `left` is less; of a NaN nothing is. */
export const lessFloats = (left: Code, right: Code): Code => [...left, ...right, ...simd(67)];
/** The highest bits of the four words as an i32, that of the first word in bit 0. */
export const bitmask = (words: Code): Code => [...words, ...simd(164)];

/** Four of the eight words of `left` and `right`, by their numbers. */
export const pickWords = (left: Code, right: Code, words: readonly number[]): Code => [
  ...left,
  ...right,
  ...simd(13),
  ...words.flatMap((word) => [0, 1, 2, 3].map((byte) => 4 * word + byte)),
];

/** The bytes of `value` in the order of `lanes`. */
export const permuteBytes = (value: Code, lanes: readonly number[]): Code => [
  ...value,
  ...simd(12),
  ...lanes,
  ...simd(14),
];

export interface FunctionShape {
  /** Its parameters, all i32. */
  readonly parameterCount: number;
  readonly i32LocalCount: number;
  readonly vectorLocalCount: number;
}

/** A module that imports its memory as `host.memory` and exports one function without result as `run`. */
export function encodeModule(shape: FunctionShape, body: Code): Uint8Array {
  const type = [0x60, ...sequence(Array.from({ length: shape.parameterCount }, () => [I32])), 0];
  const memory = [...text('host'), ...text('memory'), 2, 0, 1];
  const exported = [...text('run'), 0, 0];
  const locals = sequence([
    [...uleb128(shape.i32LocalCount), I32],
    [...uleb128(shape.vectorLocalCount), V128],
  ]);
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, sequence([type])),
    ...section(2, sequence([memory])),
    ...section(3, sequence([[0]])),
    ...section(7, sequence([exported])),
    ...section(10, sequence([sized([...locals, ...body, 0x0b])])),
  ]);
}

const simd = (opcode: number): Code => [0xfd, ...uleb128(opcode)];
const sized = (bytes: Code): Code => [...uleb128(bytes.length), ...bytes];
const section = (id: number, content: Code): Code => [id, ...sized(content)];
const sequence = (items: readonly Code[]): Code => [...uleb128(items.length), ...items.flat()];
const text = (ascii: string): Code => sized(Array.from(ascii, (letter) => letter.charCodeAt(0)));

function uleb128(value: number): Code {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...uleb128(value >>> 7)];
}

function sleb128(value: number): Code {
  const isLast = value >= -0x40 && value < 0x40;
  return isLast ? [value & 0x7f] : [(value & 0x7f) | 0x80, ...sleb128(value >> 7)];
}
