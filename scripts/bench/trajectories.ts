/** The models that can be measured, by name. */
import { generatedTrajectory, type TensorSpec } from './generated-model.ts';
import { resnet18Tensors } from './resnet18-tensors.ts';
import type { Trajectory } from './trajectory.ts';

export const TRAJECTORY_NAMES = ['lenet5', 'resnet18', 'resnet18-clustered', 'tiny'] as const;
export type TrajectoryName = (typeof TRAJECTORY_NAMES)[number];

const GENERATED_STEPS = 5;
/** One channel in three moves at least four times as fast as the middle one, or as slowly. */
const CLUSTERED_SPREAD = 1.5;

/** Two layers of LeNet-5's kind: for tests, and to see the command work. */
const TINY: readonly TensorSpec[] = [
  { name: 'conv.weight', shape: [16, 6, 5, 5], initial: { kind: 'normal', deviation: 0.1 } },
  { name: 'conv.bias', shape: [16], initial: { kind: 'constant', value: 0 } },
  { name: 'fc.weight', shape: [10, 400], initial: { kind: 'uniform', bound: 0.05 } },
  { name: 'fc.bias', shape: [10], initial: { kind: 'uniform', bound: 0.05 } },
];

export async function openTrajectory(name: TrajectoryName, seed: number): Promise<Trajectory> {
  const options = { seed, steps: GENERATED_STEPS, channelSpread: 0 };
  switch (name) {
    case 'lenet5': {
      // tfjs takes a second to load, and only this one needs it.
      const { lenet5Trajectory } = await import('./lenet5-trajectory.ts');
      return lenet5Trajectory(seed);
    }
    case 'resnet18':
      return generatedTrajectory(name, resnet18Tensors(), options);
    case 'resnet18-clustered':
      return generatedTrajectory(name, resnet18Tensors(), { ...options, channelSpread: CLUSTERED_SPREAD });
    case 'tiny':
      return generatedTrajectory(name, TINY, options);
  }
}
