/**
 * The paper's experiment on MNIST (Prapas et al. 2021, sections 5.1 to 5.7): 10,000 digits before deployment, the other
 * 50,000 as a stream; its strategies, its trigger sizes, its sparsities, and beside its sparsifiers of gradients ours.
 */
import { NO_WARM_UP, type WarmUp } from '@freshet/trainer/core/learning-rate';
import type { SparsifierName } from '@freshet/trainer/core/sparsifiers/sparsifier';
import type { CourseSpec } from '../run/course.ts';
import type { ReplicaSpec } from '../run/replica.ts';

/** Digits that are there before the stream, of 60,000. */
export const INITIAL_COUNT = 10_000;
/** Passes over them, and passes of each retraining. */
export const EPOCHS = 10;
/** Digits between two retrainings. */
export const RETRAIN_EVERY = 10_000;

export const DENSITIES = [0.01, 0.001, 0.0001] as const;

/** Where the optimiser goes on with its state there is no dip to be kept from; the variants show what else would come. */
const WARM_UP: WarmUp = { steps: 100, from: 0.01 };

const BASE = {
  sampler: 'uniform',
  freshCount: 8,
  warmUp: NO_WARM_UP,
  resetOptimiser: false,
  replicas: [],
} as const;

const DENSE: ReplicaSpec = { name: 'dense', sparsifier: 'shadow', density: 1, values: 'f32' };

/** `scale`: of all numbers of digits. */
export function mnistPaperCourses(scale: number): readonly CourseSpec[] {
  const retrain = (from: string): CourseSpec => ({
    ...BASE,
    name: `full-retrain, ${from}`,
    strategy: `full-retrain:${from}:${EPOCHS}`,
    trigger: `samples:${Math.round(scale * RETRAIN_EVERY)}`,
  });
  return [
    { ...BASE, name: 'frozen', strategy: 'frozen' },
    { ...BASE, name: 'online', strategy: 'online', freshCount: 128 },
    ...[64, 32].map((freshCount) => ({
      ...BASE,
      name: `proactive t=${freshCount}`,
      strategy: 'proactive',
      freshCount,
    })),
    {
      ...BASE,
      name: 'proactive t=16',
      strategy: 'proactive',
      freshCount: 16,
      replicas: [sparse('shadow', 0.001)],
    },
    // Choosing what to publish after the optimiser leaves training as it is: one run has all these replicas.
    {
      ...BASE,
      name: 'proactive t=8',
      strategy: 'proactive',
      replicas: [DENSE, ...DENSITIES.map((density) => sparse('shadow', density)), ...SELECTIONS],
    },
    ...(['gradient', 'random-k'] as const).flatMap((name) =>
      DENSITIES.map((density) => ({
        ...BASE,
        name: `${name} ${percent(density)}`,
        strategy: 'proactive',
        replicas: [sparse(name, density)],
      })),
    ),
    { ...BASE, name: 'proactive t=8, warm-up', strategy: 'proactive', warmUp: WARM_UP },
    { ...BASE, name: 'proactive t=8, new optimiser', strategy: 'proactive', resetOptimiser: true },
    {
      ...BASE,
      name: 'proactive t=8, new optimiser, warm-up',
      strategy: 'proactive',
      warmUp: WARM_UP,
      resetOptimiser: true,
    },
    retrain('scratch'),
    retrain('warm'),
  ];
}

/** The other ways to choose, at the two lower densities. */
const SELECTIONS: readonly ReplicaSpec[] = [0.001, 0.0001].flatMap((density) =>
  (
    [
      { scope: 'per-tensor', measure: 'magnitude' },
      { scope: 'global', measure: 'relative' },
    ] as const
  ).map((selection) => ({
    ...sparse('shadow', density),
    name: `shadow ${percent(density)}, ${selection.scope}, ${selection.measure}`,
    selection,
  })),
);

function sparse(sparsifier: SparsifierName, density: number): ReplicaSpec {
  return { name: `${sparsifier} ${percent(density)}`, sparsifier, density, values: 'f32' };
}

export function percent(share: number): string {
  return `${Number((100 * share).toPrecision(3))} %`;
}
