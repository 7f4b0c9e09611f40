/** The recipes that come with Freshet, by name. */
import { FreshetError } from '@freshet/protocol/errors';
import type { Recipe } from './recipe.ts';
import { mnistLenet5 } from './recipes/mnist-lenet5.ts';

const RECIPES: readonly Recipe[] = [mnistLenet5];

/** @throws CONFIG_INVALID */
export function recipeNamed(name: string): Recipe {
  const recipe = RECIPES.find((each) => each.name === name);
  if (recipe !== undefined) return recipe;
  const known = RECIPES.map((each) => each.name).join(', ');
  throw new FreshetError('CONFIG_INVALID', `there is no recipe "${name}"; there are: ${known}`);
}
