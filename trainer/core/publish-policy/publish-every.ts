/** How often to publish, as people say it: `5` steps, `500ms`, `2s`. */
import { FreshetError } from '@freshet/protocol/errors';
import type { PublishPolicySpec } from './policy-option.ts';

const EVERY = /^([1-9]\d{0,8})(ms|s)?$/;

/** @throws CONFIG_INVALID naming `option` and what may be written for it */
export function parsePublishEvery(text: string, option = '--publish-every'): PublishPolicySpec {
  const [, amount, unit] = EVERY.exec(text) ?? [];
  if (amount === undefined) {
    throw new FreshetError(
      'CONFIG_INVALID',
      `${option} ${text}: write a number of steps, as 5, or a time, as 500ms or 2s`,
    );
  }
  const number = Number(amount);
  if (unit === undefined) return { kind: 'steps', everySteps: number };
  return { kind: 'time', periodMs: unit === 's' ? 1000 * number : number };
}
