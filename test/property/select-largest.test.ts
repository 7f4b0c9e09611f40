/** The choice by sample and one pass, against ranking every weight by the definition of its score. */
import { strict as assert } from 'node:assert';
import { describe, it } from 'node:test';
import { bitsOf } from '@freshet/protocol/delta';
import { VALUE_FORMATS } from '@freshet/protocol/payload/value-format';
import { createRandom, type Random } from '@freshet/trainer/core/random';
import { hasGrid, roundToGrid } from '@freshet/trainer/core/round-values';
import type { Span } from '@freshet/trainer/core/sparsifiers/score-span';
import { selectLargest } from '@freshet/trainer/core/sparsifiers/select-largest';
import fc from 'fast-check';
import '../support/seed.ts';
import { weightsOfBits } from '../support/weights.ts';

/** Trained weights and shadows in which each kind of short cut may go wrong. */
const COURSES: Readonly<Record<string, (random: Random) => readonly [number, number]>> = {
  even: (random) => [real(random), real(random)],
  // One weight in a hundred differs, so that a threshold is hard to tell from a sample.
  sparse: (random) => (random.integerBelow(100) === 0 ? [real(random), real(random)] : [0.5, 0.5]),
  // Nearly all are tied with the k-th.
  tied: (random) => [random.integerBelow(50) === 0 ? 2 : 1, 0],
  // All powers of two that there are, denormals among them.
  wide: (random) => [real(random) * 2 ** (random.integerBelow(270) - 145), 0],
  // As after a step of Adam: the changes are alike but for rounding.
  step: (random) => {
    const old = real(random);
    return [old + (random.integerBelow(2) === 0 ? 1e-3 : -1e-3), old];
  },
  // A twentieth part of the weights holds all that is large, so that a sample by strides could miss it.
  clustered: (random) => [real(random), 0],
};

const real = (random: Random): number => random.integerBelow(2 ** 32) / 2 ** 31 - 1;

function courseOf(name: string, count: number, random: Random) {
  const trained = new Float32Array(count);
  const shadow = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    const [value, old] = COURSES[name]!(random);
    trained[i] = name === 'clustered' && i % 20 !== 3 ? value / 1e4 : value;
    shadow[i] = old;
  }
  return { trained, shadow };
}

/** As the definition has it, weight by weight. */
function scoreOf(trained: Float32Array, shadow: Float32Array, { format, scale }: Span, i: number): number {
  const difference = Math.abs(trained[i]! - shadow[i]!);
  if (!hasGrid(format)) return Math.fround(difference * scale);
  const rounded = weightsOfBits([roundToGrid(format, bitsOf(trained)[i]!)])[0]!;
  return Math.fround(Math.max(0, difference - Math.abs(trained[i]! - rounded)) * scale);
}

function byRanking(trained: Float32Array, shadow: Float32Array, spans: readonly Span[], k: number): number[] {
  const scored = spans.flatMap((span) =>
    Array.from({ length: span.end - span.start }, (_, i) => ({
      index: span.start + i,
      score: scoreOf(trained, shadow, span, span.start + i),
    })),
  );
  return scored
    .filter(({ score }) => score > 0)
    .sort((left, right) => right.score - left.score || left.index - right.index)
    .slice(0, k)
    .map(({ index }) => index)
    .sort((left, right) => left - right);
}

/** Three tensors, the middle one small, that leave out the weights before, between and behind them. */
function spansOf(count: number, formats: readonly Span['format'][], scales: readonly number[]): Span[] {
  const bounds = [3, Math.floor(count / 2), count - 40, count - 2];
  return [
    { start: bounds[0]!, end: bounds[1]!, format: formats[0]!, scale: scales[0]! },
    { start: bounds[1]! + 1, end: bounds[1]! + 4, format: formats[1]!, scale: scales[1]! },
    { start: bounds[1]! + 4, end: bounds[3]!, format: formats[2]!, scale: scales[2]! },
  ];
}

describe('selectLargest', () => {
  const scale = fc.constantFrom(1, 0.37, 1000, 1e-6);
  const format = fc.constantFrom(...VALUE_FORMATS);
  for (const name of Object.keys(COURSES)) {
    it(`selects what ranking all selects, course ${name}`, () => {
      fc.assert(
        fc.property(
          fc.constantFrom(2_000, 30_000),
          fc.integer(),
          fc.tuple(format, format, format),
          fc.tuple(scale, scale, scale),
          fc.constantFrom(1e-4, 1e-3, 1e-2, 0.1, 0.5, 1),
          (count, seed, formats, scales, density) => {
            const { trained, shadow } = courseOf(name, count, createRandom(seed));
            const spans = spansOf(count, formats, scales);
            const k = Math.ceil(density * count);
            const { indices, valueBits } = selectLargest(trained, shadow, spans, k);
            assert.deepEqual([...indices], byRanking(trained, shadow, spans, k));
            assert.deepEqual(
              valueBits,
              indices.map((index) => bitsOf(trained)[index]!),
            );
          },
        ),
        { numRuns: 12 },
      );
    });
  }

  it('finds what is no number, wherever it is and whatever else there is', () => {
    const count = 30_000;
    fc.assert(
      fc.property(
        fc.constantFrom(...Object.keys(COURSES)),
        fc.nat(count - 1),
        fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY),
        fc.constantFrom('f32' as const, 'f16' as const),
        fc.constantFrom(1e-4, 1e-2, 1),
        (name, at, value, kind, density) => {
          const { trained, shadow } = courseOf(name, count, createRandom(at));
          trained[at] = value;
          const span = { start: 0, end: count, format: kind, scale: 1 };
          assert.throws(() => selectLargest(trained, shadow, [span], Math.ceil(density * count)), {
            code: 'LEARNER_DIVERGED',
            message: new RegExp(`weight ${at} is ${value};`),
          });
        },
      ),
      { numRuns: 60 },
    );
  });
});
