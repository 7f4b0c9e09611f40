/** How long a training step takes on the backend in use, on random samples: time does not depend on what they show. */
import { assert } from '@freshet/protocol/assert';
import { inputElementCount } from '@freshet/protocol/sample-format';
import { createRandom } from '../../core/random.ts';
import type { Recipe } from '../recipe.ts';
import { TrainStep } from '../train-step.ts';

export interface StepTimeOptions {
  readonly batchCount: number;
  /** About how long to measure; one step is measured in any case. */
  readonly budgetMs: number;
}

export interface StepTime {
  /** Median. */
  readonly stepMs: number;
  /** Steps that were measured. */
  readonly stepCount: number;
  /** Trainable weights of the model. */
  readonly weightCount: number;
}

const SEED = 1;
const STEPS_MAX = 100;
/** The first step compiles shaders and kernels; V8 takes a few to be done with what runs around them. */
const WARM_UP_SHARE = 0.3;

/** @throws LAYER_UNSUPPORTED when the backend in use cannot train a layer of `recipe` */
export async function measureStep(
  recipe: Recipe,
  { batchCount, budgetMs }: StepTimeOptions,
): Promise<StepTime> {
  const random = createRandom(SEED);
  const elements = batchCount * inputElementCount(recipe.format);
  const inputs = Float32Array.from({ length: elements }, () => random.integerBelow(256) / 255);
  const { target } = recipe.format;
  assert(target.kind === 'class', 'steps are timed on recipes of classes');
  const labels = Int32Array.from({ length: batchCount }, () => random.integerBelow(target.classCount));
  const trainStep = new TrainStep(recipe, { seed: SEED });
  const durationsMs = async (spanMs: number): Promise<number[]> => {
    const durations: number[] = [];
    const endMs = performance.now() + spanMs;
    do {
      const startMs = performance.now();
      await trainStep.step(inputs, labels, 0);
      durations.push(performance.now() - startMs);
    } while (durations.length < STEPS_MAX && performance.now() < endMs);
    return durations;
  };
  try {
    await durationsMs(WARM_UP_SHARE * budgetMs);
    const measured = (await durationsMs(budgetMs)).sort((left, right) => left - right);
    const middle = measured.length >> 1;
    const stepMs =
      measured.length % 2 === 1 ? measured[middle]! : (measured[middle - 1]! + measured[middle]!) / 2;
    return { stepMs, stepCount: measured.length, weightCount: weightCountOf(trainStep) };
  } finally {
    trainStep.dispose();
  }
}

function weightCountOf({ model }: TrainStep): number {
  return model.trainableWeights.reduce((sum, weight) => sum + weight.read().size, 0);
}
