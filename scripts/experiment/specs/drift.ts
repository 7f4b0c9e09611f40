/** Every history sampler on every drifting stream, with a dense and a sparse replica. */
import { NO_WARM_UP } from '@freshet/trainer/core/learning-rate';
import type { CourseSpec } from '../run/course.ts';
import {
  type DriftInput,
  labelNoise,
  permutedTasks,
  rotatedAbruptly,
  rotatedGradually,
  split,
} from '../streams/drifting.ts';
import type { Stream } from '../streams/stream.ts';

export const DRIFTING_STREAMS: readonly ((input: DriftInput) => Stream)[] = [
  rotatedGradually,
  rotatedAbruptly,
  permutedTasks,
  split,
  labelNoise,
];

/** `scale`: of all numbers of digits. */
export function driftCourses(scale: number): readonly CourseSpec[] {
  const scaled = (count: number): number => Math.max(10, Math.round(scale * count));
  const samplers = [
    'uniform',
    `window:${scaled(5000)}`,
    `time-decayed:${scaled(5000)}`,
    `reservoir:${scaled(2000)}`,
    `class-balanced:${scaled(2000)}`,
  ];
  const base = { freshCount: 8, warmUp: NO_WARM_UP, resetOptimiser: false };
  return [
    ...samplers.map((sampler) => ({
      ...base,
      name: sampler.split(':')[0]!,
      strategy: 'proactive',
      sampler,
      replicas: [{ name: 'shadow 0.1 %', sparsifier: 'shadow', density: 0.001, values: 'f32' } as const],
    })),
    { ...base, name: 'no history', strategy: 'online', sampler: 'window:1', replicas: [] },
    { ...base, name: 'frozen', strategy: 'frozen', sampler: 'window:1', replicas: [] },
  ];
}
