/**
 * The exact k largest scores of many weights, at the price of one pass over them. A sample tells about where the k-th
 * largest lies, as in Deep Gradient Compression (Lin et al., ICLR 2018; `sample_ratio` in its code);
 * one pass collects what may be above a threshold a little lower; the choice among those few is exact. Where the sample
 * was wrong, or very many are alike, everything is ranked instead: a sample costs or saves time and never changes what
 * comes out.
 */
import { bitsOf, type SparseDelta } from '@freshet/protocol/delta';
import { selectTopK } from '../select-top-k.ts';
import { addFarApart, Candidates } from './candidates.ts';
import { type Span, scoreSingles, scoreSpan } from './score-span.ts';
import { valuesAt } from './values-at.ts';

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
 * The `k` weights of `spans` (ascending, disjoint) with the largest scores, of equal ones those with the lower indices, as
 * the delta that sets them to what they are in `trained`. What scores 0 is never among them, so fewer may come back.
 * @throws LEARNER_DIVERGED when a trained weight in `spans` is not finite
 */
export function selectLargest(
  trained: Float32Array,
  shadow: Float32Array,
  spans: readonly Span[],
  k: number,
): SparseDelta {
  const total = spans.reduce((sum, { start, end }) => sum + end - start, 0);
  if (total > RANKED_COUNT && k <= SHARE_MAX * total) {
    const estimate = estimateThreshold(trained, shadow, spans, total, k);
    const selected = selectAbove(trained, shadow, spans, k, estimate);
    if (selected !== null) return selected;
  }
  return valuesAt(trained, rankAll(trained, shadow, spans, total, k));
}

/** The selection from among what is above the threshold; null when the threshold does not allow it. */
function selectAbove(
  trained: Float32Array,
  shadow: Float32Array,
  spans: readonly Span[],
  k: number,
  { threshold, expected }: Estimate,
): SparseDelta | null {
  if (threshold < THRESHOLD_MIN) return null;
  const candidates = new Candidates(ROOM * expected);
  const counts: number[] = [];
  for (const span of spans) {
    const bound = (threshold / span.scale) * SLACK;
    if (!addFarApart(trained, shadow, span, bound, candidates)) return null;
    counts.push(candidates.count);
  }
  const scores = scoresOf(candidates, spans, counts);
  // Whatever was passed over scores less than the threshold, so that k above it are the k largest of all.
  let above = 0;
  for (let i = 0; i < scores.length; i++) if (scores[i]! >= threshold) above++;
  if (above < k) return null;
  const positions = selectTopK(scores, k);
  const values = bitsOf(candidates.trained);
  return {
    indices: picked(candidates.indices, positions),
    valueBits: picked(values, positions),
  };
}

/** `counts`: how many of `candidates` there are up to the end of each span. */
function scoresOf(
  { indices, trained, shadow, count }: Candidates,
  spans: readonly Span[],
  counts: readonly number[],
): Float32Array {
  const scores = new Float32Array(count);
  let from = 0;
  for (const [i, span] of spans.entries()) {
    const to = counts[i]!;
    scoreSingles(
      indices.subarray(from, to),
      trained.subarray(from, to),
      shadow.subarray(from, to),
      span,
      scores.subarray(from, to),
    );
    from = to;
  }
  return scores;
}

function picked(values: Uint32Array, positions: Uint32Array): Uint32Array {
  const result = new Uint32Array(positions.length);
  for (let i = 0; i < positions.length; i++) result[i] = values[positions[i]!]!;
  return result;
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
  const counts: number[] = [];
  const sample = new Candidates(Math.ceil(share * total) + spans.length);
  for (const span of spans) {
    addSample(trained, shadow, span, Math.ceil(share * (span.end - span.start)), sample);
    counts.push(sample.count);
  }
  const sampled = scoresOf(sample, spans, counts);
  sampled.sort();
  const mean = (k / total) * sampled.length;
  const rank = Math.min(sampled.length, Math.ceil(mean + DEVIATIONS * Math.sqrt(mean) + DEVIATIONS));
  return {
    threshold: sampled[sampled.length - rank]!,
    expected: Math.ceil((rank / sampled.length) * total),
  };
}

/**
 * Adds one weight of each of `count` equal parts of a span, at a place that a multiplicative hash (Knuth, TAOCP 3,
 * section 6.4) gives: the strides of channels and rows must not fall in with a stride of ours.
 */
function addSample(
  trained: Float32Array,
  shadow: Float32Array,
  { start, end }: Span,
  count: number,
  sample: Candidates,
): void {
  const width = (end - start) / count;
  for (let part = 0; part < count; part++) {
    const place = (Math.imul(part + 1, 0x9e37_79b1) >>> 0) / 2 ** 32;
    const index = Math.min(end - 1, start + Math.floor((part + place) * width));
    sample.add(index, trained[index]!, shadow[index]!);
  }
}
