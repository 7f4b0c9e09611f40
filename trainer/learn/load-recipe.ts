/**
 * Loads a recipe from a file of somebody else's, anywhere on this machine. Node strips its types; nothing checks them
 * here. Its imports of Freshet and of tfjs resolve to ours, installed there or not: two copies of tfjs in one process
 * would each have backends, variables and gradient tapes of their own, and a model of one could not be trained by the
 * other.
 */
import { statSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { resolve, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import { FreshetError } from '@freshet/protocol/errors';
import { defineRecipe, isRecipe, type Recipe, type RecipeDefinition } from './recipe.ts';
import { shown, stackOf } from './recipe-error.ts';

/** Whether a recipe's reference means a file rather than a name. */
export function isRecipeFile(reference: string): boolean {
  return reference.includes('/') || reference.includes(sep) || /\.[cm]?[jt]s$/.test(reference);
}

const OURS = /^@(?:freshet\/(?:protocol|trainer)|tensorflow\/tfjs-(?:core|layers))(?:\/|$)/;

/** Has what others import of `OURS` resolved as if this module had imported it. Done once. */
const shareOurModules = once(() => {
  registerHooks({
    resolve: (specifier, context, nextResolve) =>
      nextResolve(specifier, OURS.test(specifier) ? { ...context, parentURL: import.meta.url } : context),
  });
});

/**
 * The recipe that the module at `path` exports under the name `recipe`: made by `defineRecipe`, or what would be
 * passed to it.
 * @throws CONFIG_INVALID when there is none; where the module fails, with its own stack
 */
export async function loadRecipeFile(path: string): Promise<Recipe> {
  const file = resolve(path);
  if (!isFile(file)) throw invalidFile(path, `there is no file ${file}`);
  shareOurModules();
  try {
    const loaded: { readonly recipe?: unknown } = await import(pathToFileURL(file).href);
    return asRecipe(loaded.recipe);
  } catch (error) {
    if (!(error instanceof FreshetError)) {
      throw invalidFile(path, `it fails while it is loaded:\n${stackOf(error)}`, error);
    }
    // Ours say all there is to say, but not of which file.
    throw error.code === 'CONFIG_INVALID' ? invalidFile(path, error.message, error) : error;
  }
}

function asRecipe(exported: unknown): Recipe {
  if (isRecipe(exported)) return exported;
  if (typeof exported === 'object' && exported !== null) return defineRecipe(exported as RecipeDefinition);
  const what = exported === undefined ? 'it exports no "recipe"' : `its "recipe" is ${shown(exported)}`;
  throw new FreshetError(
    'CONFIG_INVALID',
    `${what}; write: export const recipe = defineRecipe({ name: …, input: …, … })`,
  );
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}

function invalidFile(path: string, reason: string, cause?: unknown): FreshetError {
  return new FreshetError('CONFIG_INVALID', `recipe ${path}: ${reason}`, { cause, details: { path } });
}

function once(run: () => void): () => void {
  let done = false;
  return () => {
    if (!done) run();
    done = true;
  };
}
