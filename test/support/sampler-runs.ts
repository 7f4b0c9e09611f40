/** History samplers of all kinds, and streams to feed them. */
import { createRandom, type Random } from '@freshet/trainer/core/random';
import { createSampler } from '@freshet/trainer/core/samplers/create-sampler';
import type { HistorySampler } from '@freshet/trainer/core/samplers/history-sampler';
import type { SamplerSpec } from '@freshet/trainer/core/samplers/sampler-option';
import fc from 'fast-check';

export interface StreamedSample {
  /** Arrivals left out before this one. */
  readonly gap: number;
  readonly label: number | null;
}

const count = fc.integer({ min: 1, max: 40 });
const limit = fc.option(count, { nil: null });

export const anySpec: fc.Arbitrary<SamplerSpec> = fc.oneof(
  limit.map((limit) => ({ kind: 'uniform' as const, limit })),
  count.map((count) => ({ kind: 'window' as const, count })),
  fc
    .record({ halfLife: fc.integer({ min: 1, max: 300 }), limit })
    .map((each) => ({ kind: 'time-decayed' as const, ...each })),
  count.map((count) => ({ kind: 'reservoir' as const, count })),
  count.map((count) => ({ kind: 'class-balanced' as const, count })),
);

/** Mostly without gaps, as arrivals are; classes of very different frequencies. */
export const anyStream: fc.Arbitrary<StreamedSample[]> = fc.array(
  fc.record({
    gap: fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(3) }),
    label: fc.oneof(
      { weight: 4, arbitrary: fc.constant(0) },
      { weight: 2, arbitrary: fc.nat(5) },
      { weight: 1, arbitrary: fc.constant(null) },
    ),
  }),
  { maxLength: 150 },
);

/** Arrivals of `stream` when its first one is at least `start`. */
export function arrivalsOf(stream: readonly StreamedSample[], start = 0): number[] {
  let next = start;
  return stream.map(({ gap }) => {
    const arrival = next + gap;
    next = arrival + 1;
    return arrival;
  });
}

/** What a bounded kind keeps at most; null where there is no bound. */
export function boundOf(spec: SamplerSpec): number | null {
  return 'count' in spec ? spec.count : spec.limit;
}

/** A sampler that arrivals 0…count − 1 have been added to, with the labels of `labelOf`. */
export function filledSampler(
  spec: SamplerSpec,
  count: number,
  random: Random = createRandom(1),
  labelOf: (arrival: number) => number | null = () => null,
): HistorySampler {
  const sampler = createSampler(spec);
  for (let arrival = 0; arrival < count; arrival++) sampler.add(arrival, labelOf(arrival), random);
  return sampler;
}
