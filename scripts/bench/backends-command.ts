/** `npm run bench -- backends` */
import { print } from '@freshet/protocol/local/command';
import { integerIn } from '@freshet/protocol/local/option-values';
import { BACKEND_NAMES, type BackendName } from '@freshet/trainer/learn/backends/backend';
import { Command, Option } from 'commander';
import { benchBackends, describeBackends } from './backends.ts';
import { STEP_BATCH, STEP_MODEL_NAMES, type StepModelName } from './step-models.ts';

interface BackendsCommandOptions {
  readonly backends: readonly BackendName[];
  readonly models: readonly StepModelName[];
  readonly batch?: number;
  /** Milliseconds. */
  readonly budget: number;
  /** Seconds. */
  readonly timeout: number;
  readonly json?: true;
}

const DAY_SECONDS = 86_400;

export function backendsCommand(): Command {
  return new Command('backends')
    .usage('-- [options]')
    .description('A training step of LeNet-5 and of ResNet-18 on every tfjs backend that can run here.')
    .addOption(
      new Option('--backends <names...>', 'backends to try')
        .choices(BACKEND_NAMES)
        .default([...BACKEND_NAMES], 'all'),
    )
    .addOption(
      new Option('--models <names...>', 'models to train')
        .choices(STEP_MODEL_NAMES)
        .default([...STEP_MODEL_NAMES], 'all'),
    )
    .addOption(
      new Option('--batch <count>', `samples of a step (default: ${describeDefaults()})`).argParser(
        integerIn(1),
      ),
    )
    .addOption(
      new Option('--budget <ms>', 'about how long each step is measured')
        .argParser(integerIn(1))
        .default(5000),
    )
    .addOption(
      new Option('--timeout <seconds>', 'a backend that takes longer with a model is stopped')
        .argParser(integerIn(1, DAY_SECONDS))
        .default(300),
    )
    .option('--json', 'print one JSON object, as the last line')
    .addHelpText(
      'after',
      `
\`freshet doctor\` says what the backends lack that cannot run here, and what to do about it.

Examples:
  npm run bench -- backends
  npm run bench -- backends --models lenet5 --backends wasm tfjs-node
  npm run bench -- backends --json | tail -1 | jq .cases`,
    )
    .action(backends);
}

function describeDefaults(): string {
  return STEP_MODEL_NAMES.map((name) => `${STEP_BATCH[name]} of ${name}`).join(', ');
}

async function backends({ timeout, budget, json, batch, ...choice }: BackendsCommandOptions): Promise<void> {
  const note = (line: string) => process.stderr.write(`${line}\n`);
  const report = await benchBackends(
    { ...choice, batchCount: batch, budgetMs: budget, timeoutMs: 1000 * timeout },
    note,
  );
  if (json) note(describeBackends(report));
  print({ json: json === true }, report, () => describeBackends(report));
}
