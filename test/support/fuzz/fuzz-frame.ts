/**
 * One step of fuzzing: a valid input is damaged and decoded, then the valid one is decoded as ever. A step depends on
 * target, seed and number alone, so that each can be taken again by itself.
 */
import { hash } from 'node:crypto';
import { getHeapStatistics } from 'node:v8';
import { type ErrorCode, FreshetError } from '@freshet/protocol/errors';
import fc from 'fast-check';
import { xoroshiro128plusFromState } from 'pure-rand/generator/xoroshiro128plus';
import { damage, mildDamage } from '../damage.ts';
import type { FuzzSample, FuzzTarget } from './fuzz-target.ts';

/** What a decoder may take: far more than any of them does, and far less than what a frame can announce. */
const GROWTH_BYTES_FIXED = 4 * 1024 * 1024;
const GROWTH_BYTES_PER_BYTE = 256;
/** The heap also grows where code is compiled; that happens once, what a decoder does happens each time. */
const MEASUREMENTS_MAX = 3;

const anyDamage = fc.oneof(damage, mildDamage);

/** A target with what its samples decode to. */
export interface PreparedTarget extends FuzzTarget {
  readonly expected: readonly Uint8Array[];
}

/** @throws what a decoder says of its own corpus: then the corpus is wrong */
export function prepare(target: FuzzTarget): PreparedTarget {
  return { ...target, expected: target.corpus.map((sample) => sample.decode(sample.bytes)) };
}

export interface FuzzFailure {
  readonly frame: number;
  /** The damaged input. */
  readonly bytes: Uint8Array;
  /** The valid one that it was made of. */
  readonly sampleIndex: number;
  readonly error: unknown;
}

export type FuzzOutcome =
  | { readonly kind: 'decoded' }
  | { readonly kind: 'refused'; readonly code: ErrorCode }
  | { readonly kind: 'failed'; readonly failure: FuzzFailure };

/** Takes step `frame`. Neither throws nor keeps anything. */
export function fuzzFrame(target: PreparedTarget, seed: number, frame: number): FuzzOutcome {
  const { sampleIndex, bytes } = drawFrame(target, seed, frame);
  const sample = target.corpus[sampleIndex]!;
  try {
    const code = decodeHostile(target, sample, bytes);
    const again = sample.decode(sample.bytes);
    if (!Buffer.from(again).equals(target.expected[sampleIndex]!)) {
      throw new TypeError('the valid input that it was made of no longer decodes to the same');
    }
    return code === null ? { kind: 'decoded' } : { kind: 'refused', code };
  } catch (error) {
    return { kind: 'failed', failure: { frame, bytes, sampleIndex, error } };
  }
}

/** The input of step `frame`. */
export function drawFrame(
  { name, corpus }: FuzzTarget,
  seed: number,
  frame: number,
): { readonly sampleIndex: number; readonly bytes: Uint8Array } {
  const state = hash('sha256', `${name} ${seed} ${frame}`, 'buffer');
  const words = [0, 4, 8, 12].map((at) => state.readInt32LE(at));
  const random = new fc.Random(xoroshiro128plusFromState(words));
  const sampleIndex = random.nextInt(0, corpus.length - 1);
  const other = corpus[random.nextInt(0, corpus.length - 1)]!;
  // No bias towards small numbers: they are places in an input.
  const apply = anyDamage.generate(random, undefined).value;
  // Copied: a splice may be a Buffer of Node's pool, next to memory that is not the decoder's.
  const bytes = new Uint8Array(apply(corpus[sampleIndex]!.bytes, other.bytes));
  return { sampleIndex, bytes };
}

/** The declared error that `bytes` give, or null. @throws everything that is not declared, and growth out of proportion */
function decodeHostile(target: FuzzTarget, sample: FuzzSample, bytes: Uint8Array): ErrorCode | null {
  const allowed = GROWTH_BYTES_FIXED + GROWTH_BYTES_PER_BYTE * bytes.length;
  let growth = 0;
  for (let i = 0; i < MEASUREMENTS_MAX; i++) {
    const before = heldBytes();
    const code = codeOf(target, sample, bytes);
    growth = heldBytes() - before;
    if (growth <= allowed) return code;
  }
  throw new TypeError(`decoding ${bytes.length} bytes took ${growth} bytes of memory`);
}

function codeOf({ codes }: FuzzTarget, sample: FuzzSample, bytes: Uint8Array): ErrorCode | null {
  try {
    sample.decode(bytes);
    return null;
  } catch (error) {
    if (error instanceof FreshetError && codes.includes(error.code)) return error.code;
    throw error;
  }
}

/** Objects and array buffers of this thread that are not collected yet. */
export function heldBytes(): number {
  const { used_heap_size: objects, external_memory: buffers } = getHeapStatistics();
  return objects + buffers;
}
