/** `freshet-agent verify` */
import { EXIT } from '@freshet/protocol/errors';
import { type CommonOptions, print } from '@freshet/protocol/local/command';
import { countOf } from '@freshet/protocol/local/format';
import type { Command } from 'commander';
import type { VerifyReport } from '../store/verify.ts';
import { deviceCommand, withDevice } from './device.ts';

export function verifyCommand(): Command {
  return deviceCommand('verify', 'Derive every stored version again and check it against its root.')
    .addHelpText(
      'after',
      `
Exits with 1 when anything is wrong.

Examples:
  freshet-agent verify
  freshet-agent verify --json | jq '.versions[] | select(.ok | not)'`,
    )
    .action(async (options: CommonOptions) => {
      const report = await withDevice(options, (device) => device.verify());
      print(options, report, () => describeReport(report));
      if (!report.ok) process.exitCode = EXIT.failed;
    });
}

function describeReport({ ok, versions, integrityProblems }: VerifyReport): string {
  const problems = [
    ...integrityProblems,
    ...versions.flatMap(({ version, problems: each }) =>
      each.map((problem) => `version ${version}: ${problem}`),
    ),
  ];
  if (ok) return `${countOf(versions.length, 'version')}, all as their roots say`;
  return [
    `${countOf(problems.length, 'problem')} in ${countOf(versions.length, 'version')}:`,
    ...problems,
  ].join('\n');
}
