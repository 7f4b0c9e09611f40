/** `freshet-agent verify` */
import { EXIT } from '@freshet/protocol/errors';
import { type CommonOptions, print } from '@freshet/protocol/local/command';
import type { Command } from 'commander';
import type { VerifyReport } from '../store/verify.ts';
import { deviceCommand, withDevice } from './device.ts';

export function verifyCommand(): Command {
  return deviceCommand('verify', 'Derive every stored version again and check it against its root.')
    .addHelpText('after', '\nExits with 1 when anything is wrong.\n\nExample:\n  freshet-agent verify')
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
  if (ok) return `${versions.length} versions, all as their roots say`;
  return [`${problems.length} problems in ${versions.length} versions:`, ...problems].join('\n');
}
