/** Which optimiser a person asks for. Knows no tfjs, so that a command line can read it. */
import { FreshetError } from '@freshet/protocol/errors';

export type OptimiserSpec =
  | { readonly kind: 'adam' }
  | { readonly kind: 'amsgrad' }
  | { readonly kind: 'sgd' }
  | {
      readonly kind: 'momentum';
      /** Between 0 and 1, both excluded. */
      readonly coefficient: number;
      readonly nesterov: boolean;
    };

/**
 * What becomes of the optimiser's state when the initial training ends and the stream begins: it goes on, or it begins
 * anew. The paper blames the dip of its curves after that point on Adam's going on (Prapas et al. 2021, section 5.7).
 */
export const OPTIMISER_AT_SWITCH = ['keep', 'reset'] as const;
export type OptimiserAtSwitch = (typeof OPTIMISER_AT_SWITCH)[number];

const WITH_COEFFICIENT = /^(momentum|nesterov):(0?\.\d+)$/;

/**
 * Reads `adam`, `amsgrad`, `sgd`, `momentum:0.9`, or `nesterov:0.9`, which is momentum with Nesterov's look-ahead.
 * @throws CONFIG_INVALID
 */
export function parseOptimiser(text: string): OptimiserSpec {
  if (text === 'adam' || text === 'amsgrad' || text === 'sgd') return { kind: text };
  const match = WITH_COEFFICIENT.exec(text);
  const coefficient = Number(match?.[2]);
  // A fraction of many nines would round to 1, and one of many zeros to 0.
  if (match === null || !(coefficient > 0 && coefficient < 1)) {
    throw new FreshetError(
      'CONFIG_INVALID',
      `"${text}" is no optimiser: write adam, amsgrad, sgd, momentum:0.9 or nesterov:0.9, ` +
        'the number being above 0 and below 1',
    );
  }
  return { kind: 'momentum', coefficient, nesterov: match[1] === 'nesterov' };
}
