/** `npm run bench -- history` */
import { tmpdir } from 'node:os';
import { print } from '@freshet/protocol/local/command';
import { integerIn, notEmpty } from '@freshet/protocol/local/option-values';
import { Command, Option } from 'commander';
import { benchHistory } from './history.ts';
import { describeHistory } from './history-report.ts';

interface HistoryCommandOptions {
  readonly samples: number;
  readonly batch: number;
  readonly seed: number;
  /** Milliseconds. */
  readonly budget: number;
  readonly directory: string;
  readonly json?: true;
}

const SAMPLES_MAX = 100_000_000;
const SEED_MAX = 2 ** 31 - 1;

export function historyCommand(): Command {
  return new Command('history')
    .usage('-- [options]')
    .description(
      'The sample log: drawing a batch from a long history on disk, taking samples in, forgetting.',
    )
    .addOption(
      new Option('--samples <count>', 'samples of the history')
        .argParser(integerIn(1000, SAMPLES_MAX))
        .default(1_000_000),
    )
    .addOption(new Option('--batch <count>', 'samples of a batch').argParser(integerIn(1, 1000)).default(120))
    .addOption(new Option('--seed <n>', 'of draws').argParser(integerIn(0, SEED_MAX)).default(1))
    .addOption(
      new Option('--budget <ms>', 'about how long each time is measured')
        .argParser(integerIn(1))
        .default(1000),
    )
    .addOption(
      new Option('--directory <dir>', 'where the log is made; a million samples take 1 GB')
        .argParser(notEmpty)
        .default(tmpdir()),
    )
    .option('--json', 'print one JSON object, as the last line')
    .addHelpText(
      'after',
      '\nExamples:\n  npm run bench -- history\n  npm run bench -- history --samples 100000 --json | tail -1',
    )
    .action(history);
}

function history(options: HistoryCommandOptions): void {
  const note = (line: string) => process.stderr.write(`${line}\n`);
  const { samples, batch, seed, budget, directory } = options;
  const report = benchHistory(
    { sampleCount: samples, batchCount: batch, seed, budgetMs: budget, directory },
    note,
  );
  if (options.json) note(describeHistory(report));
  print(options, report, () => describeHistory(report));
}
