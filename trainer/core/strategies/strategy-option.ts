/** Which strategy is wanted, as people say it: `proactive`, `full-retrain:warm:3`. */
import { OptionText } from '../option-text.ts';
import type { FullRetrainOptions } from './full-retrain.ts';

export type StrategySpec =
  | { readonly kind: 'proactive' | 'online' | 'frozen' }
  | ({ readonly kind: 'full-retrain' } & Pick<FullRetrainOptions, 'from' | 'epochs'>);

const EPOCHS = { min: 1, max: 10_000 };
/** Of Prapas et al. (2021) on MNIST, for the initial training and each retraining. */
const EPOCHS_DEFAULT = 10;

const FORMS = [
  'proactive',
  'online',
  'frozen',
  'full-retrain:scratch',
  'full-retrain:warm',
  'full-retrain:scratch:EPOCHS',
  'full-retrain:warm:EPOCHS',
];

/** @throws CONFIG_INVALID naming `option` and what may be written for it */
export function parseStrategy(text: string, option = '--strategy'): StrategySpec {
  const written = new OptionText(option, text, FORMS);
  const { kind } = written;
  switch (kind) {
    case 'proactive':
    case 'online':
    case 'frozen':
      written.expectValues(0);
      return { kind };
    case 'full-retrain': {
      written.expectValues(1, 2);
      const from = written.values[0];
      if (from !== 'scratch' && from !== 'warm')
        throw written.refusal(`"${from}" is neither scratch nor warm`);
      return { kind, from, epochs: written.wholeNumber(1, 'EPOCHS', EPOCHS, EPOCHS_DEFAULT) };
    }
    default:
      throw written.refusal(`there is no strategy "${kind}"`);
  }
}
