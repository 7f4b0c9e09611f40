/** Training before anything is deployed: epochs over the first samples, reshuffled for each. */
import { assert } from '@freshet/protocol/assert';
import { type Random, shuffle } from '../core/random.ts';
import { BatchBuffer } from './batch-buffer.ts';
import type { SampleSet } from './sample-source.ts';
import type { StepOutcome, TrainStep } from './train-step.ts';

export interface InitialTrainingOptions {
  /** The first so many training samples; 0: nothing is done. */
  readonly sampleCount: number;
  readonly epochs: number;
  readonly batchCount: number;
}

/** Steps that `trainInitially` takes. */
export function initialStepCount({ sampleCount, epochs, batchCount }: InitialTrainingOptions): number {
  return epochs * Math.ceil(sampleCount / batchCount);
}

/**
 * Calls `afterStep` with the number of steps done after each of them, and ends early when it resolves to false.
 * @throws LEARNER_DIVERGED, SAMPLES_INVALID, CONFIG_INVALID
 */
export async function trainInitially(
  trainStep: TrainStep,
  source: { readonly train: SampleSet | null },
  options: InitialTrainingOptions,
  random: Random,
  afterStep: (stepsDone: number, outcome: StepOutcome) => Promise<boolean>,
): Promise<void> {
  const { sampleCount, epochs, batchCount } = options;
  if (sampleCount === 0) return;
  assert(source.train !== null, 'initial training has samples');
  const batches = new BatchBuffer(trainStep.recipe, source.train, batchCount);
  const order = Uint32Array.from({ length: sampleCount }, (_, i) => i);
  let stepsDone = 0;
  for (let epoch = 0; epoch < epochs; epoch++) {
    shuffle(order, random);
    for (let first = 0; first < sampleCount; first += batchCount) {
      const { inputs, targets } = batches.fill(order.subarray(first, first + batchCount));
      const outcome = await trainStep.step(inputs, targets, 0);
      if (!(await afterStep(++stepsDone, outcome))) return;
    }
  }
}
