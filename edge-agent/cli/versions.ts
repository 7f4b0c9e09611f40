/** `freshet-agent versions` */
import { type CommonOptions, print } from '@freshet/protocol/local/command';
import { countOf, formatBytes, formatTable, shortRoot } from '@freshet/protocol/local/format';
import { integerIn } from '@freshet/protocol/local/option-values';
import type { Command } from 'commander';
import type { AgentStatus } from '../control/agent-control.ts';
import type { VersionInfo } from '../store/version-table.ts';
import { deviceCommand, withDevice } from './device.ts';

interface VersionsOptions extends CommonOptions {
  readonly limit: number;
}

const LIMIT_DEFAULT = 20;

export function versionsCommand(): Command {
  return deviceCommand('versions', 'List the weight versions on this device, newest first.')
    .option('--limit <count>', 'how many to list', integerIn(1), LIMIT_DEFAULT)
    .addHelpText(
      'after',
      '\nExamples:\n  freshet-agent versions --limit 5\n  freshet-agent versions --json --limit 1000',
    )
    .action(async (options: VersionsOptions) => {
      const [status, all] = await withDevice(options, async (device) => [
        await device.status(),
        await device.versions(),
      ]);
      const versions = all.toReversed().slice(0, options.limit);
      print(options, { served: status.served, pinned: status.pinned, count: all.length, versions }, () =>
        describeVersions(status, all.length, versions),
      );
    });
}

function describeVersions(status: AgentStatus, count: number, versions: readonly VersionInfo[]): string {
  if (count === 0) return 'no versions yet: the first one has to come from the hub';
  const heading = ['VERSION', 'ROOT', 'KIND', 'CHANGED', 'RECEIVED', 'AT', 'STATE'];
  const rows = versions.map((version) => [
    String(version.version),
    shortRoot(version.root),
    version.kind,
    String(version.changedCount),
    formatBytes(version.bytes),
    new Date(version.receivedAtMs).toISOString(),
    stateOf(version, status),
  ]);
  return `${formatTable([heading, ...rows])}\n${versions.length} of ${countOf(count, 'version')}`;
}

function stateOf(version: VersionInfo, { served, pinned }: AgentStatus): string {
  if (version.state === 'quarantined') return `quarantined: ${version.reason}`;
  if (version.version !== served?.version) return '';
  return pinned === null ? 'served' : 'served, pinned';
}
