/** The command line of the benches. */
import { print } from '@freshet/protocol/local/command';
import { integerIn } from '@freshet/protocol/local/option-values';
import { Command, Option } from 'commander';
import { historyCommand } from './history-command.ts';
import { TRAJECTORY_NAMES, type TrajectoryName } from './trajectories.ts';
import { benchWire, RIVAL_CHOICES, type RivalChoice } from './wire.ts';
import { describeReport } from './wire-tables.ts';
import { CHAIN_LENGTH } from './wire-targets.ts';

interface WireCommandOptions {
  readonly models: readonly TrajectoryName[];
  readonly quick?: true;
  readonly rivals: RivalChoice;
  /** Seconds. */
  readonly rivalTimeout: number;
  readonly chain: number;
  readonly seed: number;
  /** Milliseconds. */
  readonly budget: number;
  readonly json?: true;
}

const SEED_MAX = 2 ** 32 - 1;
const DAY_SECONDS = 86_400;

export function benchCommand(): Command {
  return new Command('npm run bench')
    .usage('-- <bench> [options]')
    .description('Measures Freshet on this machine.')
    .addHelpText('after', '\nExamples:\n  npm run bench -- wire\n  npm run bench -- wire --json | tail -1')
    .addCommand(wireCommand())
    .addCommand(historyCommand());
}

function wireCommand(): Command {
  return new Command('wire')
    .usage('-- [options]')
    .description(
      'The delta format: bytes, times, and the same changes through zstd, bsdiff, xdelta3 and plain MessagePack.',
    )
    .addOption(
      new Option('--models <names...>', 'models to take changes of')
        .choices(TRAJECTORY_NAMES)
        .default(['lenet5', 'resnet18']),
    )
    .addOption(new Option('--quick', 'LeNet-5 only').conflicts('models'))
    .addOption(
      new Option('--rivals <which>', 'changes that the rivals get: exact ones, or those of every format')
        .choices(RIVAL_CHOICES)
        .default('f32'),
    )
    .addOption(
      new Option('--rival-timeout <seconds>', 'a rival that takes longer is stopped')
        .argParser(integerIn(1, DAY_SECONDS))
        .default(1800),
    )
    .addOption(
      new Option('--chain <count>', 'deltas in a row for each format, 0 for none')
        .argParser(integerIn(0))
        .default(CHAIN_LENGTH),
    )
    .addOption(
      new Option('--seed <n>', 'of weights and changes').argParser(integerIn(0, SEED_MAX)).default(1),
    )
    .addOption(
      new Option('--budget <ms>', 'about how long each time is measured')
        .argParser(integerIn(1))
        .default(1000),
    )
    .option('--json', 'print one JSON object, as the last line')
    .addHelpText(
      'after',
      `
The rivals are no part of Freshet; on Debian: apt-get install zstd bsdiff xdelta3. What is missing is left out.

Examples:
  npm run bench -- wire
  npm run bench -- wire --quick --rivals none
  npm run bench -- wire --models resnet18 resnet18-clustered --chain 0
  npm run bench -- wire --json | tail -1 | jq .targets`,
    )
    .action(wire);
}

async function wire(options: WireCommandOptions): Promise<void> {
  const note = (line: string) => process.stderr.write(`${line}\n`);
  const report = await benchWire(
    {
      models: options.quick ? ['lenet5'] : options.models,
      rivals: options.rivals,
      rivalTimeoutMs: 1000 * options.rivalTimeout,
      chainLength: options.chain,
      seed: options.seed,
      budgetMs: options.budget,
    },
    note,
  );
  if (options.json) note(describeReport(report));
  print(options, report, () => describeReport(report));
}
