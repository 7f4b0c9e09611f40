/** `freshet versions` */
import { type CommonOptions, print } from '@freshet/protocol/local/command';
import { formatBytes, formatTable, shortRoot } from '@freshet/protocol/local/format';
import { integerIn } from '@freshet/protocol/local/option-values';
import type { Command } from 'commander';
import type { VersionsAnswer } from '../admin/trainer-status.ts';
import type { VersionInfo } from '../history/version-log-rows.ts';
import { API, trainerClient, trainerCommand } from './trainer-client.ts';

interface VersionsOptions extends CommonOptions {
  readonly limit: number;
}

const LIMIT_DEFAULT = 20;
/** What the trainer gives at a time. */
const LIMIT_MAX = 1000;

export function versionsCommand(): Command {
  return trainerCommand('versions', 'List the weight versions in the log, newest first.')
    .option(
      '--limit <count>',
      `how many to list, at most ${LIMIT_MAX}`,
      integerIn(1, LIMIT_MAX),
      LIMIT_DEFAULT,
    )
    .addHelpText(
      'after',
      '\nExamples:\n  freshet versions --limit 5\n  freshet versions --json | jq .versions[0].root',
    )
    .action(async (options: VersionsOptions) => {
      const path = `${API}/versions?limit=${options.limit}`;
      const answer = (await trainerClient(options).call('GET', path)) as VersionsAnswer;
      print(options, answer, () => describeVersions(answer.versions));
    });
}

function describeVersions(versions: readonly VersionInfo[]): string {
  if (versions.length === 0) return 'no versions yet: the initial training is under way';
  const heading = ['VERSION', 'ROOT', 'DELTA', 'STEP', 'SAMPLES', 'ACCURACY', 'AT'];
  const rows = versions.map((version) => [
    String(version.version),
    shortRoot(version.root),
    version.deltaBytes === null ? '–' : formatBytes(version.deltaBytes),
    String(version.step),
    String(version.samplesSeen),
    version.prequentialAccuracy?.toFixed(4) ?? '–',
    new Date(version.createdAtMs).toISOString(),
  ]);
  return formatTable([heading, ...rows]);
}
