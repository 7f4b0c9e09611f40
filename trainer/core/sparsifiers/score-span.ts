/**
 * How much a change is worth, weight by weight: by how much a replica gets nearer to the trained weight, as a float32.
 * Where values are not rounded to a grid, that is the change itself. Where they are (f16, bf16), rounding takes its part
 * away: a weight that it would leave where it is, or take further off, must not hold a place for ever.
 */
import { bitsOf } from '@freshet/protocol/delta';
import type { ValueFormat } from '@freshet/protocol/payload/value-format';
import { hasGrid, roundAllToGrid } from '../round-values.ts';
import { divergedAt } from './diverged.ts';

/** Weights `start` … `end` − 1, all of one tensor. */
export interface Span {
  readonly start: number;
  readonly end: number;
  readonly format: ValueFormat;
  /** What a score is multiplied by: positive and finite. */
  readonly scale: number;
}

/** Small enough for what is computed on the way to stay in the first-level cache. */
const BLOCK = 2048;

/**
 * Writes the scores of the weights of `span` to `scores`, from `at`. A score is at most |trained − shadow|·scale.
 * @throws LEARNER_DIVERGED when a trained weight is not finite
 */
export function scoreSpan(
  trained: Float32Array,
  shadow: Float32Array,
  { start, end, format, scale }: Span,
  scores: Float32Array,
  at: number,
): void {
  for (let from = start; from < end; from += BLOCK) {
    const to = Math.min(end, from + BLOCK);
    const bad = indexNotFinite(trained, from, to);
    if (bad !== null) throw divergedAt(bad, trained[bad]!);
    scoreBlock(
      trained.subarray(from, to),
      shadow.subarray(from, to),
      format,
      scale,
      scores.subarray(at + from - start, at + to - start),
    );
  }
}

/**
 * The same for single weights of `span`: entry i is about the weight at `indices[i]`.
 * @throws LEARNER_DIVERGED when one of them is not finite
 */
export function scoreSingles(
  indices: Uint32Array,
  trained: Float32Array,
  shadow: Float32Array,
  { format, scale }: Span,
  scores: Float32Array,
): void {
  for (let from = 0; from < indices.length; from += BLOCK) {
    const to = Math.min(indices.length, from + BLOCK);
    const bad = indexNotFinite(trained, from, to);
    if (bad !== null) throw divergedAt(indices[bad]!, trained[bad]!);
    const block = trained.subarray(from, to);
    scoreBlock(block, shadow.subarray(from, to), format, scale, scores.subarray(from, to));
  }
}

/** Of the entries `from` … `to` − 1 the first that is NaN or infinite, or null. */
function indexNotFinite(values: Float32Array, from: number, to: number): number | null {
  // x − x is 0 for a number and NaN for anything else; one test for all costs less than one for each.
  let zero = 0;
  for (let i = from; i < to; i++) zero += values[i]! - values[i]!;
  if (zero === 0) return null;
  for (let i = from; i < to; i++) if (!Number.isFinite(values[i]!)) return i;
  return null;
}

const rounded = new Float32Array(BLOCK);

function scoreBlock(
  trained: Float32Array,
  shadow: Float32Array,
  format: ValueFormat,
  scale: number,
  scores: Float32Array,
): void {
  if (!hasGrid(format)) {
    for (let i = 0; i < scores.length; i++) scores[i] = Math.abs(trained[i]! - shadow[i]!) * scale;
    return;
  }
  roundAllToGrid(format, bitsOf(trained), bitsOf(rounded));
  for (let i = 0; i < scores.length; i++) {
    const value = trained[i]!;
    const gain = Math.abs(value - shadow[i]!) - Math.abs(value - rounded[i]!);
    scores[i] = gain > 0 ? gain * scale : 0;
  }
}
