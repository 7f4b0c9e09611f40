/** A trigger that would wait for ever is refused before anything is trained. */
import { unreachable } from '@freshet/protocol/assert';
import { FreshetError } from '@freshet/protocol/errors';
import type { TriggerSpec } from '../../core/triggers/trigger-option.ts';

/**
 * For a recipe without samples of its own, where nothing but the samples that wait ever sets off a training.
 * `waitingMax`: while so many wait, no more are taken.
 * @throws CONFIG_INVALID when `trigger` wants more
 */
export function checkTrigger(trigger: TriggerSpec, waitingMax: number): void {
  const wanted = samplesWanted(trigger);
  if (wanted <= waitingMax) return;
  throw new FreshetError(
    'CONFIG_INVALID',
    `--trigger: a training of ${wanted} samples never comes, as no more than ${waitingMax} are let wait for one: train ` +
      'on fewer at a time, or raise --history-bytes where it is below what these need',
  );
}

function samplesWanted(trigger: TriggerSpec): number {
  switch (trigger.kind) {
    case 'samples':
      return trigger.count;
    case 'drift':
      return trigger.quietCount;
    case 'time':
      return 1;
    default:
      return unreachable(trigger);
  }
}
