/** The recipes that come with Freshet, by name, and those that somebody wrote, by file. */
import { FreshetError } from '@freshet/protocol/errors';
import { isRecipeFile, loadRecipeFile } from './load-recipe.ts';
import type { Recipe } from './recipe.ts';
import { mnistLenet5 } from './recipes/mnist-lenet5.ts';

const RECIPES: readonly Recipe[] = [mnistLenet5];

/**
 * `reference`: the name of a recipe that comes with Freshet, or the path of a file, which has a slash or ends in .ts,
 * .mts, .js or .mjs; it is taken from the process's working directory.
 * @throws CONFIG_INVALID
 */
export function recipeOf(reference: string): Promise<Recipe> | Recipe {
  return isRecipeFile(reference) ? loadRecipeFile(reference) : recipeNamed(reference);
}

/** @throws CONFIG_INVALID */
export function recipeNamed(name: string): Recipe {
  const recipe = RECIPES.find((each) => each.name === name);
  if (recipe !== undefined) return recipe;
  const known = RECIPES.map((each) => each.name).join(', ');
  throw new FreshetError(
    'CONFIG_INVALID',
    `there is no recipe "${name}"; there are: ${known}; a file of your own is written as a path: ./${name}.ts`,
  );
}
