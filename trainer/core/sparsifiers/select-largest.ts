/**
 * The exact k largest scores of many weights, at the price of one pass over them. A sample tells about where the k-th
 * largest lies, as in Deep Gradient Compression (Lin et al., ICLR 2018, appendix C there and `sample_ratio` in its code);
 * one pass collects what may be above a threshold a little lower; the choice among those few is exact. Where the sample
 * was wrong, or very many are alike, everything is ranked instead: a sample costs or saves time and never changes what
 * comes out.
 */
import { selectTopK } from '../select-top-k.ts';
import { type Span, scoreIndices, scoreSpan } from './score-span.ts';

/** Below that many weights, or above that share of them, ranking all is as quick. */
const RANKED_COUNT = 16_384;
const SHARE_MAX = 1 / 8;
const SAMPLE_SHARE = 1 / 1024;
const SAMPLE_COUNT_MIN = 4096;
/** Standard deviations by which the threshold goes below what the sample says. */
const DEVIATIONS = 4;
/** Candidates that there is room for, against those expected: a threshold that a few samples set is off by much. */
const ROOM = 4;
/** Thresholds below are near the end of float32's precision, where rounding errors are no longer relative. */
const THRESHOLD_MIN = 2 ** -100;
/** Less than 1 by more than all rounding errors between a difference and its score. */
const SLACK = 1 - 2 ** -20;

/**
 * Ascending indices of the `k` weights of `spans` (ascending, disjoint) with the largest scores, of equal ones those with
 * the lower indices. What scores 0 is never among them, so fewer may come back.
 * @throws LEARNER_DIVERGED when a trained weight in `spans` is not finite
 */
export function selectLargest(
  trained: Float32Array,
  shadow: Float32Array,
  spans: readonly Span[],
  k: number,
): Uint32Array {
  const total = spans.reduce((sum, { start, end }) => sum + end - start, 0);
  if (total <= RANKED_COUNT || k > SHARE_MAX * total) return rankAll(trained, shadow, spans, total, k);
  const { threshold, expected } = estimateThreshold(trained, shadow, spans, total, k);
  if (threshold < THRESHOLD_MIN) return rankAll(trained, shadow, spans, total, k);
  const candidates = collectCandidates(trained, shadow, spans, threshold, ROOM * expected);
  if (candidates === null) return rankAll(trained, shadow, spans, total, k);
  const { indices, scores } = candidates;
  // Whatever is left out scores less than the threshold, so that k above it are the k largest of all.
  let above = 0;
  for (let i = 0; i < scores.length; i++) if (scores[i]! >= threshold) above++;
  if (above < k) return rankAll(trained, shadow, spans, total, k);
  return selectTopK(scores, k).map((position) => indices[position]!);
}

function rankAll(
  trained: Float32Array,
  shadow: Float32Array,
  spans: readonly Span[],
  total: number,
  k: number,
): Uint32Array {
  const scores = new Float32Array(total);
  let at = 0;
  for (const span of spans) {
    scoreSpan(trained, shadow, span, scores, at);
    at += span.end - span.start;
  }
  const positions = selectTopK(scores, k);
  let before = 0;
  let i = 0;
  for (const { start, end } of spans) {
    const after = before + end - start;
    for (; i < positions.length && positions[i]! < after; i++) positions[i] = positions[i]! - before + start;
    before = after;
  }
  return positions;
}

interface Estimate {
  /** A score that, most probably, `k` are not below. */
  readonly threshold: number;
  /** About how many are not below it. */
  readonly expected: number;
}

function estimateThreshold(
  trained: Float32Array,
  shadow: Float32Array,
  spans: readonly Span[],
  total: number,
  k: number,
): Estimate {
  const share = Math.min(1, Math.max(SAMPLE_SHARE, SAMPLE_COUNT_MIN / total));
  const samples = spans.map((span) => {
    const indices = sampleIndices(span, Math.ceil(share * (span.end - span.start)));
    const scores = new Float32Array(indices.length);
    scoreIndices(trained, shadow, span, indices, scores);
    return scores;
  });
  const sampled = new Float32Array(samples.reduce((sum, scores) => sum + scores.length, 0));
  let at = 0;
  for (const scores of samples) {
    sampled.set(scores, at);
    at += scores.length;
  }
  sampled.sort();
  const mean = (k / total) * sampled.length;
  const rank = Math.min(sampled.length, Math.ceil(mean + DEVIATIONS * Math.sqrt(mean) + DEVIATIONS));
  return {
    threshold: sampled[sampled.length - rank]!,
    expected: Math.ceil((rank / sampled.length) * total),
  };
}

/**
 * One weight of each of `count` equal parts of a span, at a place that a multiplicative hash (Knuth, TAOCP 3, section
 * 6.4) gives: the strides of channels and rows must not fall in with a stride of ours.
 */
function sampleIndices({ start, end }: Span, count: number): Uint32Array {
  const width = (end - start) / count;
  return new Uint32Array(count).map((_, part) => {
    const place = (Math.imul(part + 1, 0x9e37_79b1) >>> 0) / 2 ** 32;
    return Math.min(end - 1, start + Math.floor((part + place) * width));
  });
}

interface Candidates {
  /** Ascending. */
  readonly indices: Uint32Array;
  readonly scores: Float32Array;
}

/** All weights that may score `threshold` or more; null when there are more than `countMax`. */
function collectCandidates(
  trained: Float32Array,
  shadow: Float32Array,
  spans: readonly Span[],
  threshold: number,
  countMax: number,
): Candidates | null {
  const indices = new Uint32Array(countMax);
  const scores = new Float32Array(countMax);
  let count = 0;
  for (const span of spans) {
    const from = count;
    count = collectAbove(trained, shadow, span, (threshold / span.scale) * SLACK, indices, count);
    if (count > countMax) return null;
    scoreIndices(trained, shadow, span, indices.subarray(from, count), scores.subarray(from, count));
  }
  return { indices: indices.subarray(0, count), scores: scores.subarray(0, count) };
}

/**
 * Appends to `indices`, from `count`, where the difference is not below `bound`; NaN is not. Returns the new count, which
 * is beyond the length of `indices` when they did not all find room.
 */
function collectAbove(
  trained: Float32Array,
  shadow: Float32Array,
  { start, end }: Span,
  bound: number,
  indices: Uint32Array,
  count: number,
): number {
  for (let i = start; i < end; i++) {
    if (Math.abs(trained[i]! - shadow[i]!) < bound) continue;
    if (count === indices.length) return count + 1;
    indices[count++] = i;
  }
  return count;
}
