/** A model in training for the overhead bench, on the backend that runs. */
import { assert } from '@freshet/protocol/assert';
import { createRandom } from '@freshet/trainer/core/random';
import { CanonicalModel } from '@freshet/trainer/learn/canonical-model';
import type { Recipe } from '@freshet/trainer/learn/recipe';
import { mnistLenet5 } from '@freshet/trainer/learn/recipes/mnist-lenet5';
import { TrainStep } from '@freshet/trainer/learn/train-step';
import type { OverheadModel } from './overhead-report.ts';
import { PROACTIVE, proactiveSteps } from './proactive-stream.ts';
import { wideMlp } from './wide-mlp.ts';

/** Samples that count as history at the beginning, so that the first batch is a full one. */
const HISTORY_COUNT = 2000;

const RECIPES: Readonly<Record<OverheadModel, Recipe>> = { lenet5: mnistLenet5, 'mlp-10m': wideMlp };

export interface Subject {
  readonly name: OverheadModel;
  readonly canonical: CanonicalModel;
  readonly batchCount: number;
  /** One step on the stream. */
  step(): Promise<void>;
  dispose(): void;
}

export async function openSubject(name: OverheadModel, seed: number): Promise<Subject> {
  const recipe = RECIPES[name];
  const trainStep = new TrainStep(recipe, { seed });
  const canonical = await CanonicalModel.of(trainStep, recipe.name);
  const { train } = recipe.openSource();
  assert(train !== null, 'the recipe has samples');
  return {
    name,
    canonical,
    batchCount: PROACTIVE.batchCount,
    step: proactiveSteps(trainStep, train, HISTORY_COUNT, createRandom(seed)),
    dispose: () => trainStep.dispose(),
  };
}
