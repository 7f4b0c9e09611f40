/** `npm run bench -- overhead`. */
import { print } from '@freshet/protocol/local/command';
import { integerIn } from '@freshet/protocol/local/option-values';
import { VALUE_FORMATS, type ValueFormat } from '@freshet/protocol/payload/value-format';
import { BACKEND_NAMES, type BackendName } from '@freshet/trainer/learn/backends/backend';
import { Command, Option } from 'commander';
import { OVERHEAD_MODELS, type OverheadModel } from './overhead-report.ts';
import { describeOverhead } from './overhead-tables.ts';

interface OverheadCommandOptions {
  readonly backends: readonly BackendName[];
  readonly models: readonly OverheadModel[];
  readonly values: ValueFormat;
  readonly publishEvery: number;
  readonly seed: number;
  /** Milliseconds. */
  readonly budget: number;
  readonly json?: true;
}

const DENSITIES = [1e-2, 1e-3, 1e-4];
const SEED_MAX = 2 ** 32 - 1;

export function overheadCommand(): Command {
  return new Command('overhead')
    .usage('-- [options]')
    .description('A training step with and without a publish after it, on every backend that runs here.')
    .addOption(
      new Option('--backends <names...>', 'backends to measure; what cannot run here is left out')
        .choices(BACKEND_NAMES)
        .default(BACKEND_NAMES),
    )
    .addOption(new Option('--models <names...>').choices(OVERHEAD_MODELS).default(OVERHEAD_MODELS))
    .addOption(new Option('--values <format>', 'how values travel').choices(VALUE_FORMATS).default('f32'))
    .addOption(
      new Option('--publish-every <steps>', 'steps for one publish; the trainer has 5 by default')
        .argParser(integerIn(1, 1000))
        .default(1),
    )
    .addOption(
      new Option('--seed <n>', 'of weights and batches').argParser(integerIn(0, SEED_MAX)).default(1),
    )
    .addOption(
      new Option('--budget <ms>', 'about how long each model is measured on each backend')
        .argParser(integerIn(1))
        .default(30_000),
    )
    .option('--json', 'print one JSON object, as the last line')
    .addHelpText(
      'after',
      `
The cpu backend takes seconds for a step.

Examples:
  npm run bench -- overhead --backends wasm
  npm run bench -- overhead --models lenet5 --values f16
  npm run bench -- overhead --json | tail -1 | jq '.cases[] | [.backend, .model, .density, .overheadFactor]'`,
    )
    .action(overhead);
}

async function overhead(options: OverheadCommandOptions): Promise<void> {
  const note = (line: string) => process.stderr.write(`${line}\n`);
  // tfjs takes a second to load, and the other benches do without it.
  const { benchOverhead } = await import('./overhead.ts');
  const report = await benchOverhead(
    { ...options, densities: DENSITIES, format: options.values, budgetMs: options.budget },
    note,
  );
  if (options.json) note(describeOverhead(report));
  print(options, report, () => describeOverhead(report));
}
