/**
 * Options written as a kind with its numbers behind it, `reservoir:2000` or `drift:adwin:1000:8`: how they are taken
 * apart, and how a wrong one is refused.
 */
import { FreshetError } from '@freshet/protocol/errors';

const WHOLE_NUMBER = /^\d{1,15}$/;

export interface NumberRange {
  readonly min: number;
  readonly max: number;
}

export class OptionText {
  /** What stands before the first colon. */
  readonly kind: string;
  /** What stands behind it, between colons. */
  readonly values: readonly string[];
  readonly #option: string;
  readonly #text: string;
  readonly #forms: readonly string[];

  /**
   * `option`: as the user knows it, `--sampler`. `text`: what was given for it. `forms`: all that may be written, for
   * the message of a refusal.
   */
  constructor(option: string, text: string, forms: readonly string[]) {
    const [kind = '', ...values] = text.split(':');
    this.kind = kind;
    this.values = values;
    this.#option = option;
    this.#text = text;
    this.#forms = forms;
  }

  /** @throws CONFIG_INVALID unless `min` to `max` values stand behind the kind */
  expectValues(min: number, max: number = min): void {
    const count = this.values.length;
    if (count < min) throw this.refusal(`something is missing behind "${this.#text}"`);
    if (count > max) throw this.refusal(`":${this.values.slice(max).join(':')}" is too much`);
  }

  /**
   * Value `index` as a whole number, or `absent` where there is no such value.
   * @throws CONFIG_INVALID calling it `name` when it is none, or out of range
   */
  wholeNumber(index: number, name: string, { min, max }: NumberRange, absent?: number): number {
    const written = this.values[index];
    if (written === undefined && absent !== undefined) return absent;
    const value = Number(written);
    if (written !== undefined && WHOLE_NUMBER.test(written) && value >= min && value <= max) return value;
    throw this.refusal(`${name} must be a whole number from ${min} to ${max}`);
  }

  /** For `throw`. `problem`: what is wrong, without a full stop. */
  refusal(problem: string): FreshetError {
    return new FreshetError(
      'CONFIG_INVALID',
      `${this.#option} ${this.#text}: ${problem}. Write ${listed(this.#forms)}`,
    );
  }
}

function listed(forms: readonly string[]): string {
  if (forms.length === 1) return `${forms[0]}`;
  return `${forms.slice(0, -1).join(', ')} or ${forms.at(-1)}`;
}
