/** `freshet start`: its options. What it does is loaded only when it is run: other commands should answer at once. */
import { FreshetError } from '@freshet/protocol/errors';
import type { CommonOptions } from '@freshet/protocol/local/command';
import { integerIn, notEmpty, numberIn, port } from '@freshet/protocol/local/option-values';
import { type Command, Option } from 'commander';
import { parseValueFormats } from '../core/value-formats.ts';
import { BACKEND_NAMES, type BackendName } from '../learn/backends/backend.ts';
import { trainerCommand } from './trainer-client.ts';

export interface StartOptions extends CommonOptions {
  readonly host: string;
  readonly port: number;
  readonly recipe: string;
  readonly backend: BackendName | 'auto';
  readonly seed: number;
  readonly initial: number;
  readonly initialEpochs: number;
  readonly batch: number;
  readonly fresh: number;
  readonly learningRate: number;
  readonly density: number;
  readonly values: string;
  readonly publishEvery: number;
  readonly steps?: number;
  readonly keepVersions: number;
  readonly heartbeatMs: number;
  readonly trace?: boolean;
  readonly signingKey?: string;
  readonly previousKey?: string;
  readonly unsigned?: boolean;
  readonly logLevel: string;
}

/** Three silent intervals tell that an agent is gone. Beyond 2^31 ms a timer would fire at once. */
const HEARTBEAT_MS_MAX = 60 * 60 * 1000;
/** More samples than any step here has a use for, and still few enough for the memory of the backends. */
const BATCH_COUNT_MAX = 8192;
const SEED_MAX = 2 ** 32 - 1;

export function startCommand(): Command {
  const command = trainerCommand('start', 'Train, and publish to the agents that connect.');
  for (const option of [...networkOptions(), ...publisherOptions(), ...trainingOptions()])
    command.addOption(option);
  return command
    .addHelpText(
      'after',
      `
Starting again with the same --state goes on where it was.

Examples:
  freshet start --host 0.0.0.0 --state /var/lib/freshet-trainer
  freshet start --signing-key publisher.pem           made by \`freshet key new\`
  freshet start --recipe ./my-recipe.ts               examples/my-recipe.ts is one to start from
  freshet start --density 0.001 --publish-every 10
  freshet start --density 0.0001 --values f16,*bias=f32
  freshet start --port 0 --json      print {"url": …} once it listens`,
    )
    .action(async (options: StartOptions) => {
      refuseImpossibleBatch(options);
      const { startTrainer } = await import('./start-trainer.ts');
      await startTrainer(options);
    });
}

function networkOptions(): Option[] {
  return [
    new Option('--host <address>', 'address to listen on; 0.0.0.0 for all interfaces')
      .env('FRESHET_HOST')
      .argParser(notEmpty)
      .default('127.0.0.1'),
    new Option('--port <port>', 'port for agents and the HTTP API; 0 lets the system choose')
      .env('FRESHET_PORT')
      .argParser(port)
      .default(7400),
    new Option('--keep-versions <count>', 'versions to keep in the log, at least')
      .env('FRESHET_KEEP_VERSIONS')
      .argParser(integerIn(1))
      .default(10_000),
    new Option('--heartbeat-ms <ms>', 'interval at which agents report')
      .env('FRESHET_HEARTBEAT_MS')
      .argParser(integerIn(10, HEARTBEAT_MS_MAX))
      .default(5000),
    new Option('--trace', 'draw a W3C trace context for each version; trainer and agents log it').env(
      'FRESHET_TRACE',
    ),
    new Option('--log-level <level>', 'how much to log, as JSON lines on stderr')
      .env('FRESHET_LOG_LEVEL')
      .choices(['silent', 'error', 'info', 'debug'])
      .default('info'),
  ];
}

function publisherOptions(): Option[] {
  return [
    new Option('--signing-key <file>', "publisher's private key: agents that pin it believe nobody else")
      .env('FRESHET_SIGNING_KEY')
      .argParser(notEmpty),
    new Option('--previous-key <file>', 'the key before it, to lead agents to a new one')
      .env('FRESHET_PREVIOUS_KEY')
      .argParser(notEmpty),
    new Option('--unsigned', 'publish without signatures even where there have been some'),
  ];
}

function trainingOptions(): Option[] {
  const count = integerIn(1);
  const batchCount = integerIn(1, BATCH_COUNT_MAX);
  return [
    new Option('--recipe <recipe>', 'model, loss and samples: a name, or a file of your own (./my-recipe.ts)')
      .argParser(notEmpty)
      .default('mnist-lenet5'),
    new Option('--backend <name>', 'tfjs backend; auto takes the fastest that runs here')
      .env('FRESHET_BACKEND')
      .choices(['auto', ...BACKEND_NAMES])
      .default('auto'),
    new Option('--seed <n>', 'of initial weights and batches').argParser(integerIn(0, SEED_MAX)).default(1),
    new Option('--initial <count>', 'samples to train on before the first version')
      .argParser(count)
      .default(10_000),
    new Option('--initial-epochs <count>', 'passes over them').argParser(count).default(3),
    new Option('--batch <count>', 'samples of a step (b)').argParser(batchCount).default(128),
    new Option('--fresh <count>', 'new samples among them (t); the rest comes from history')
      .argParser(batchCount)
      .default(8),
    new Option('--learning-rate <rate>', 'of Adam').argParser(numberIn(0, 1)).default(0.001),
    new Option('--density <share>', 'share of the weights in one delta')
      .argParser(numberIn(0, 1))
      .default(0.01),
    new Option(
      '--values <formats>',
      'how values travel: f32 exact; f16, bf16 rounded; q8, q4 as scaled differences; f16,*bias=f32 mixes them',
    )
      .argParser(valueFormats)
      .default('f32'),
    new Option('--publish-every <steps>', 'steps between two versions').argParser(count).default(5),
    new Option(
      '--steps <count>',
      'stop training after so many steps on the stream; the hub goes on',
    ).argParser(count),
  ];
}

/** @throws CONFIG_INVALID */
function valueFormats(text: string): string {
  parseValueFormats(text);
  return text;
}

/** @throws CONFIG_INVALID */
function refuseImpossibleBatch({ fresh, batch }: StartOptions): void {
  if (fresh <= batch) return;
  throw new FreshetError(
    'CONFIG_INVALID',
    `--fresh ${fresh} is more than --batch ${batch} holds: lower one or raise the other`,
  );
}
