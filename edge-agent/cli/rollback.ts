/** `freshet-agent rollback` */
import { FreshetError } from '@freshet/protocol/errors';
import { type CommonOptions, print } from '@freshet/protocol/local/command';
import { describePosition } from '@freshet/protocol/local/format';
import { integerIn } from '@freshet/protocol/local/option-values';
import type { Command } from 'commander';
import type { RollbackReport } from '../control/agent-control.ts';
import type { RollbackTarget } from '../core/rollback-target.ts';
import { deviceCommand, withDevice } from './device.ts';

interface RollbackOptions extends CommonOptions {
  readonly by?: number;
}

export function rollbackCommand(): Command {
  return deviceCommand('rollback', 'Serve another stored version and stay on it. Needs no network.')
    .argument('[version]', 'a version number; or "head" to follow the newest version again')
    .option('--by <count>', 'go back by so many stored versions', integerIn(1))
    .addHelpText(
      'after',
      `
The bits served are proven to be the version's by its root. Newer versions keep
arriving and being stored meanwhile.

Examples:
  freshet-agent rollback --by 10
  freshet-agent rollback 1234
  freshet-agent rollback head`,
    )
    .action(async (version: string | undefined, options: RollbackOptions) => {
      const target = parseTarget(version, options.by);
      const report = await withDevice(options, (device) => device.rollback(target));
      print(options, report, () => describeReport(report));
    });
}

function parseTarget(version: string | undefined, by: number | undefined): RollbackTarget {
  if (version !== undefined && by !== undefined) {
    throw new FreshetError('CONFIG_INVALID', 'give either a version or --by, not both');
  }
  if (by !== undefined) return { kind: 'back', count: by };
  if (version === undefined)
    throw new FreshetError('CONFIG_INVALID', 'say where to: a version number, "head", or --by <count>');
  if (version === 'head') return { kind: 'head' };
  if (!/^[1-9]\d{0,15}$/.test(version)) {
    throw new FreshetError('CONFIG_INVALID', `"${version}" is neither a version number nor "head"`);
  }
  return { kind: 'version', version: Number(version) };
}

function describeReport({ before, after, pinned, durationMs }: RollbackReport): string {
  const then = pinned ? 'Staying there until `freshet-agent rollback head`.' : 'Following the head.';
  return `served ${describePosition(before)}, now ${describePosition(after)}, in ${durationMs.toFixed(1)} ms. ${then}`;
}
