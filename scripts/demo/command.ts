/** The demo's command line. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FreshetError } from '@freshet/protocol/errors';
import { integerIn, notEmpty, numberIn, port } from '@freshet/protocol/local/option-values';
import { BACKEND_NAMES } from '@freshet/trainer/learn/backends/backend';
import { Command, Option } from 'commander';
import { runBounded } from './bounded.ts';
import { Fleet } from './fleet.ts';
import { runLive } from './live.ts';

export interface DemoOptions {
  readonly agents: number;
  readonly initial?: number;
  readonly initialEpochs?: number;
  readonly steps: number;
  readonly density?: number;
  readonly values?: string;
  readonly publishEvery?: number;
  readonly seed?: number;
  readonly backend?: string;
  readonly state?: string;
  readonly port?: number;
  readonly once?: true;
  readonly json?: true;
}

const LIVE_STATE_DIRECTORY = '.freshet';
const LIVE_TRAINER_PORT = 7400;
/** Each is a process with a database and an ONNX Runtime. */
const AGENT_COUNT_MAX = 100;
const SEED_MAX = 2 ** 32 - 1;

export function demoCommand(): Command {
  const count = integerIn(1);
  return new Command('npm start')
    .usage('-- [options]')
    .description(
      'Trains LeNet-5 on the MNIST digits and keeps edge agents fresh, all on this machine. Ctrl-C ends it; starting again goes on where it was.',
    )
    .addOption(
      new Option('--agents <count>', 'edge agents').argParser(integerIn(1, AGENT_COUNT_MAX)).default(3),
    )
    .addOption(
      new Option('--initial <count>', 'digits to train on before the first version').argParser(count),
    )
    .addOption(new Option('--initial-epochs <count>', 'passes over them').argParser(count))
    .addOption(new Option('--density <share>', 'share of the weights in one delta').argParser(numberIn(0, 1)))
    .addOption(
      new Option('--values <formats>', 'how values travel: f32, f16, bf16, q8 or q4; see `freshet start`'),
    )
    .addOption(new Option('--publish-every <steps>', 'steps between two versions').argParser(count))
    .addOption(new Option('--seed <n>', 'of initial weights and batches').argParser(integerIn(0, SEED_MAX)))
    .addOption(
      new Option('--backend <name>', 'tfjs backend of the trainer').choices(['auto', ...BACKEND_NAMES]),
    )
    .addOption(
      new Option(
        '--state <dir>',
        `where everything is kept (default: ${LIVE_STATE_DIRECTORY}; with --once a temporary directory)`,
      ).argParser(notEmpty),
    )
    .addOption(
      new Option(
        '--port <port>',
        `of the trainer; agents take those from 101 above it (default: ${LIVE_TRAINER_PORT}; with --once any that are free)`,
      ).argParser(port),
    )
    .option('--once', 'a bounded run: --steps steps, one roll-back on the way, a summary, the end')
    .addOption(
      new Option('--steps <count>', 'with --once: steps on the stream').argParser(count).default(150),
    )
    .option('--json', 'with --once: the summary as one line of JSON')
    .addHelpText(
      'after',
      `
Examples:
  npm start
  npm start -- --agents 5 --density 0.001
  npm start -- --once --json --initial 2000 --steps 150 --density 0.01 --publish-every 1`,
    )
    .action((options: DemoOptions, command: Command) => {
      if (options.once) return once(options);
      refuseBounds(options, command);
      return live(options);
    });
}

/** @throws CONFIG_INVALID for what says how a bounded run goes, in one without end */
function refuseBounds({ json }: DemoOptions, command: Command): void {
  const areStepsGiven = command.getOptionValueSource('steps') === 'cli';
  if (json !== true && !areStepsGiven) return;
  const flag = json === true ? '--json' : '--steps';
  throw new FreshetError('CONFIG_INVALID', `${flag} says how a bounded run goes: add --once`);
}

async function live(options: DemoOptions): Promise<void> {
  const fleet = new Fleet({
    stateDirectory: options.state ?? LIVE_STATE_DIRECTORY,
    isTemporary: false,
    agentCount: options.agents,
    trainerPort: options.port ?? LIVE_TRAINER_PORT,
    trainerArguments: trainerArguments(options),
  });
  await runLive(fleet);
}

async function once(options: DemoOptions): Promise<void> {
  const temporary = options.state === undefined ? mkdtempSync(join(tmpdir(), 'freshet-demo-')) : null;
  const fleet = new Fleet({
    stateDirectory: options.state ?? temporary ?? '',
    isTemporary: temporary !== null,
    agentCount: options.agents,
    trainerPort: options.port ?? null,
    trainerArguments: [...trainerArguments(options), '--steps', String(options.steps)],
  });
  try {
    await runBounded(fleet, options);
  } finally {
    if (temporary !== null) rmSync(temporary, { recursive: true, force: true });
  }
}

/** The options of the demo that are the trainer's, where they were given. */
function trainerArguments(options: DemoOptions): string[] {
  const values = {
    '--initial': options.initial,
    '--initial-epochs': options.initialEpochs,
    '--density': options.density,
    '--values': options.values,
    '--publish-every': options.publishEvery,
    '--seed': options.seed,
    '--backend': options.backend,
  };
  return Object.entries(values).flatMap(([flag, value]) =>
    value === undefined ? [] : [flag, String(value)],
  );
}
