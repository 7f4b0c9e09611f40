/** The models whose training step is timed on every backend, smallest first. */
import type { Recipe } from '@freshet/trainer/learn/recipe';

export const STEP_MODEL_NAMES = ['lenet5', 'resnet18'] as const;
export type StepModelName = (typeof STEP_MODEL_NAMES)[number];

/** Samples of a step: what the trainer takes by default, and what a processor can still do in seconds. */
export const STEP_BATCH: Readonly<Record<StepModelName, number>> = { lenet5: 128, resnet18: 32 };

export async function stepRecipe(name: StepModelName): Promise<Recipe> {
  // tfjs takes a second to load; the names are wanted without it.
  if (name === 'lenet5') return (await import('@freshet/trainer/learn/recipes/mnist-lenet5')).mnistLenet5;
  return (await import('./resnet18-recipe.ts')).resnet18Recipe;
}
