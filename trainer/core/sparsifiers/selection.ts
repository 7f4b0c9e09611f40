/** By what rule the largest changes are chosen, as people say it. */
import { FreshetError } from '@freshet/protocol/errors';

/**
 * Where the largest are looked for: in the whole model, or in each tensor by itself, which then gets its share and one
 * change at least, as in the paper (Prapas et al. 2021).
 */
export const SELECTION_SCOPES = ['global', 'per-tensor'] as const;
export type SelectionScope = (typeof SELECTION_SCOPES)[number];

/**
 * What is large: the change as such, or the change against the root mean square of the tensor's weights, so that tensors
 * of small weights are not passed over. Within one tensor both order alike.
 */
export const SELECTION_MEASURES = ['magnitude', 'relative'] as const;
export type SelectionMeasure = (typeof SELECTION_MEASURES)[number];

export interface Selection {
  readonly scope: SelectionScope;
  readonly measure: SelectionMeasure;
}

export const DEFAULT_SELECTION: Selection = { scope: 'global', measure: 'magnitude' };

/** Reads the value of `--select`. @throws CONFIG_INVALID */
export function parseSelectionScope(text: string): SelectionScope {
  return oneOf(SELECTION_SCOPES, '--select', text);
}

/** Reads the value of `--by`. @throws CONFIG_INVALID */
export function parseSelectionMeasure(text: string): SelectionMeasure {
  return oneOf(SELECTION_MEASURES, '--by', text);
}

function oneOf<Choice extends string>(choices: readonly Choice[], option: string, text: string): Choice {
  const choice = choices.find((each) => each === text);
  if (choice !== undefined) return choice;
  throw new FreshetError('CONFIG_INVALID', `${option} ${text}: write ${choices.join(' or ')}`);
}
