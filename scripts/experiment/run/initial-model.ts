/** The model that is there before anything is deployed: the same for all runs of one seed. */
import { createRandom, type RandomState } from '@freshet/trainer/core/random';
import { trainInitially } from '@freshet/trainer/learn/initial-training';
import type { NamedWeights } from '@freshet/trainer/learn/model-weights';
import type { OptimiserState } from '@freshet/trainer/learn/optimisers/optimiser';
import { parseOptimiser } from '@freshet/trainer/learn/optimisers/optimiser-spec';
import { TrainStep } from '@freshet/trainer/learn/train-step';
import type { Stream } from '../streams/stream.ts';
import { digitRecipe, samplesOfImages } from './digit-recipe.ts';

/** Of the paper: Adam of PyTorch with `amsgrad`, and a batch of 128. */
export const OPTIMISER = parseOptimiser('amsgrad');
export const LEARNING_RATE = 1e-3;
export const BATCH_COUNT = 128;

export interface InitialModel {
  readonly weights: readonly NamedWeights[];
  readonly optimizer: OptimiserState;
  readonly random: RandomState;
  readonly trainMs: number;
}

export function openTrainStep(seed: number): TrainStep {
  return new TrainStep(digitRecipe, { seed, learningRate: LEARNING_RATE, optimiser: OPTIMISER });
}

export async function trainInitialModel(stream: Stream, seed: number, epochs: number): Promise<InitialModel> {
  const trainStep = openTrainStep(seed);
  const random = createRandom(seed);
  const startMs = performance.now();
  try {
    const options = { sampleCount: stream.initialCount, epochs, batchCount: BATCH_COUNT };
    await trainInitially(
      trainStep,
      { train: samplesOfImages(stream.images) },
      options,
      random,
      async () => true,
    );
    return {
      weights: await trainStep.readWeights(),
      optimizer: await trainStep.readOptimizer(),
      random: random.state(),
      trainMs: performance.now() - startMs,
    };
  } finally {
    trainStep.dispose();
  }
}
