/** The command line of the experiments. */
import { print } from '@freshet/protocol/local/command';
import { integerIn, numberIn } from '@freshet/protocol/local/option-values';
import { BACKEND_NAMES, type BackendName } from '@freshet/trainer/learn/backends/backend';
import { Argument, Command, Option } from 'commander';
import { EXPERIMENT_NAMES, type ExperimentName, runExperiment } from './experiment.ts';

interface ExperimentCommandOptions {
  readonly scale: number;
  readonly seeds: number;
  readonly backend: BackendName | 'auto';
  readonly out: string;
  readonly only: string;
  readonly reportOnly?: true;
  readonly json?: true;
}

const SEEDS_MAX = 1000;

export function experimentCommand(): Command {
  return new Command('npm run experiment')
    .usage('-- <name> [options]')
    .description('Measures how well models learn from streams, and writes tables and plots.')
    .addArgument(new Argument('<name>', 'which').choices(EXPERIMENT_NAMES))
    .addOption(
      new Option('--scale <share>', 'share of the digits to use: 0.05 for a quick look')
        .argParser(numberIn(0, 1))
        .default(1),
    )
    .addOption(
      new Option('--seeds <count>', 'runs of each kind').argParser(integerIn(1, SEEDS_MAX)).default(3),
    )
    .addOption(
      new Option('--backend <name>', 'tfjs backend; auto takes the fastest that runs here')
        .choices(['auto', ...BACKEND_NAMES])
        .default('auto'),
    )
    .addOption(new Option('--out <folder>', 'where results go').default('results'))
    .addOption(new Option('--only <text>', 'only runs whose stream and name contain it').default(''))
    .addOption(new Option('--report-only', 'write the report of the runs that are there'))
    .option('--json', 'print one JSON object, as the last line')
    .addHelpText(
      'after',
      `
Runs are written as they end, and not made again: an experiment that was stopped is taken up where it was.

Examples:
  npm run experiment -- mnist-paper --scale 0.05 --seeds 1
  npm run experiment -- mnist-paper
  npm run experiment -- drift --only split`,
    )
    .action(async (name: ExperimentName, options: ExperimentCommandOptions) => {
      const note = (line: string) => process.stderr.write(`${line}\n`);
      const { scale, seeds, backend, out, only, reportOnly = false } = options;
      const folder = await runExperiment(
        { name, scale, seedCount: seeds, backend, out, only, reportOnly },
        note,
      );
      print(options, { folder }, () => `Written to ${folder}`);
    });
}
