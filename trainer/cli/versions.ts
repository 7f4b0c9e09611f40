/** `freshet versions` */
import { type CommonOptions, print } from '@freshet/protocol/local/command';
import { formatBytes, formatTable, shortRoot } from '@freshet/protocol/local/format';
import { integerIn } from '@freshet/protocol/local/option-values';
import { type Command, InvalidArgumentError } from 'commander';
import type { PlanAnswer } from '../admin/plan-answer.ts';
import type { VersionsAnswer } from '../admin/trainer-status.ts';
import type { VersionInfo } from '../history/version-log-rows.ts';
import { API, trainerClient, trainerCommand } from './trainer-client.ts';

interface VersionsOptions extends CommonOptions {
  readonly limit: number;
  readonly plan?: VersionRange;
}

/** `to` null: the newest. */
interface VersionRange {
  readonly from: number;
  readonly to: number | null;
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
    .option(
      '--plan <from..to>',
      'print what bringing an agent from one version to another costs, by each way; without a second version, to the newest',
      versionRange,
    )
    .addHelpText(
      'after',
      '\nExamples:\n  freshet versions --limit 5\n  freshet versions --plan 17..240\n' +
        '  freshet versions --json | jq .versions[0].root',
    )
    .action(async (options: VersionsOptions) => {
      if (options.plan !== undefined) {
        const { from, to } = options.plan;
        const query = `from=${from}${to === null ? '' : `&to=${to}`}`;
        const plan = (await trainerClient(options).call('GET', `${API}/plan?${query}`)) as PlanAnswer;
        print(options, plan, () => describePlan(plan));
        return;
      }
      const path = `${API}/versions?limit=${options.limit}`;
      const answer = (await trainerClient(options).call('GET', path)) as VersionsAnswer;
      print(options, answer, () => describeVersions(answer.versions));
    });
}

function describeVersions(versions: readonly VersionInfo[]): string {
  if (versions.length === 0) return 'no versions yet: the initial training is under way';
  // Of another metric versions say nothing.
  const isAccuracy = versions.some((version) => version.prequentialAccuracy !== null);
  const heading = [
    'VERSION',
    'ROOT',
    'DELTA',
    'STEP',
    'SAMPLES',
    'LOSS',
    ...(isAccuracy ? ['ACCURACY'] : []),
    'AT',
  ];
  const rows = versions.map((version) => [
    String(version.version),
    shortRoot(version.root),
    version.deltaBytes === null ? '–' : formatBytes(version.deltaBytes),
    String(version.step),
    String(version.samplesSeen),
    // Before the first step on the stream nothing is measured on it.
    version.step === 0 ? '–' : (version.loss?.toPrecision(4) ?? '–'),
    ...(isAccuracy ? [accuracyOf(version)] : []),
    new Date(version.createdAtMs).toISOString(),
  ]);
  return formatTable([heading, ...rows]);
}

function accuracyOf({ step, prequentialAccuracy }: VersionInfo): string {
  return step === 0 ? '–' : (prequentialAccuracy?.toFixed(4) ?? '–');
}

function versionRange(text: string): VersionRange {
  const match = /^([1-9]\d{0,14})(?:\.\.([1-9]\d{0,14})?)?$/.exec(text);
  if (match === null) throw new InvalidArgumentError('It has to be like 17..240, or 17.. for the newest.');
  const from = Number(match[1]);
  const to = match[2] === undefined ? null : Number(match[2]);
  if (to !== null && to <= from) {
    const upwards = from === to ? `${from}..${from + 1}` : `${to}..${from}`;
    throw new InvalidArgumentError(`A plan leads from an older version to a newer one: write ${upwards}.`);
  }
  return { from, to };
}

/** A table for people. What is estimated is marked with ≈. */
export function describePlan({ from, to, chosen, deltaCount, wireBytes, estimated }: PlanAnswer): string {
  const ways: readonly (readonly [PlanAnswer['chosen'], string])[] = [
    ['chain', `the ${deltaCount} stored deltas`],
    ['squash', 'one delta with the effect of all'],
    ['snapshot', 'all weights'],
  ];
  const rows = ways.map(([kind, what]) => {
    const bytes = wireBytes[kind];
    const mark = estimated && kind === 'snapshot' ? '≈ ' : '';
    return [
      kind,
      bytes === null ? '–' : `${mark}${formatBytes(bytes)}`,
      what,
      kind === chosen ? 'cheapest' : '',
    ];
  });
  const table = formatTable([['WAY', 'BYTES', 'WHAT IS SENT', ''], ...rows]);
  return `from version ${from} to ${to}\n${table}`;
}
