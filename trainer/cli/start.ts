/** `freshet start`: learner and hub in the foreground, until SIGINT or SIGTERM. */
import { FreshetError } from '@freshet/protocol/errors';
import { type CommonOptions, integerAtLeast, numberIn, port } from '@freshet/protocol/local/command';
import { untilAskedToEnd } from '@freshet/protocol/local/shutdown';
import { SingleBar } from 'cli-progress';
import { type Command, Option } from 'commander';
import { pino } from 'pino';
import { BACKEND_NAMES, type BackendName } from '../learn/backends/backend.ts';
import type { LearnerStatus } from '../service/learner-process.ts';
import { startTrainerService } from '../service/trainer-service.ts';
import { trainerCommand } from './trainer-client.ts';

interface StartOptions extends CommonOptions {
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
  readonly publishEvery: number;
  readonly steps?: number;
  readonly heartbeatMs: number;
  readonly logLevel: string;
}

const CHECKPOINT_INTERVAL_MS = 30_000;

export function startCommand(): Command {
  const command = trainerCommand('start', 'Train, and publish to the agents that connect.');
  for (const option of [...networkOptions(), ...trainingOptions()]) command.addOption(option);
  return command
    .addHelpText(
      'after',
      `
Starting again with the same --state goes on where it was.

Examples:
  freshet start --host 0.0.0.0 --state /var/lib/freshet-trainer
  freshet start --density 0.001 --publish-every 10
  freshet start --port 0 --json      print {"url": …} once it listens`,
    )
    .action(start);
}

function networkOptions(): Option[] {
  return [
    new Option('--host <address>', 'address to listen on; 0.0.0.0 for all interfaces')
      .env('FRESHET_HOST')
      .default('127.0.0.1'),
    new Option('--port <port>', 'port for agents and the HTTP API; 0 lets the system choose')
      .env('FRESHET_PORT')
      .argParser(port)
      .default(7400),
    new Option('--heartbeat-ms <ms>', 'interval at which agents report')
      .env('FRESHET_HEARTBEAT_MS')
      .argParser(integerAtLeast(10))
      .default(5000),
    new Option('--log-level <level>', 'how much to log, as JSON lines on stderr')
      .env('FRESHET_LOG_LEVEL')
      .choices(['silent', 'error', 'info', 'debug'])
      .default('info'),
  ];
}

function trainingOptions(): Option[] {
  const count = integerAtLeast(1);
  return [
    new Option('--recipe <name>', 'model, loss and samples').default('mnist-lenet5'),
    new Option('--backend <name>', 'tfjs backend; auto takes the fastest that runs here')
      .env('FRESHET_BACKEND')
      .choices(['auto', ...BACKEND_NAMES])
      .default('auto'),
    new Option('--seed <n>', 'of initial weights and batches').argParser(integerAtLeast(0)).default(1),
    new Option('--initial <count>', 'samples to train on before the first version')
      .argParser(count)
      .default(10_000),
    new Option('--initial-epochs <count>', 'passes over them').argParser(count).default(3),
    new Option('--batch <count>', 'samples of a step (b)').argParser(count).default(128),
    new Option('--fresh <count>', 'new samples among them (t); the rest comes from history')
      .argParser(count)
      .default(8),
    new Option('--learning-rate <rate>', 'of Adam').argParser(numberIn(0, 1)).default(0.001),
    new Option('--density <share>', 'share of the weights in one delta')
      .argParser(numberIn(0, 1))
      .default(0.01),
    new Option('--publish-every <steps>', 'steps between two versions').argParser(count).default(5),
    new Option(
      '--steps <count>',
      'stop training after so many steps on the stream; the hub goes on',
    ).argParser(count),
  ];
}

async function start(options: StartOptions): Promise<void> {
  if (options.fresh > options.batch) {
    throw new FreshetError(
      'CONFIG_INVALID',
      `--fresh ${options.fresh} is more than --batch ${options.batch} holds`,
    );
  }
  const log = pino({ level: options.logLevel, base: null }, pino.destination({ dest: 2, sync: true }));
  const progress = new InitialProgress();
  const service = await startTrainerService({
    stateDirectory: options.state,
    host: options.host,
    port: options.port,
    heartbeatMs: options.heartbeatMs,
    log,
    onLearnerChange: (status) => progress.show(status),
    learner: {
      recipe: options.recipe,
      backend: options.backend,
      seed: options.seed,
      initialCount: options.initial,
      initialEpochs: options.initialEpochs,
      batchCount: options.batch,
      freshCount: options.fresh,
      learningRate: options.learningRate,
      density: options.density,
      publishEvery: options.publishEvery,
      stepsMax: options.steps ?? null,
      checkpointEveryMs: CHECKPOINT_INTERVAL_MS,
    },
  });
  log.info({ url: service.url, state: options.state }, 'listening');
  if (options.json) process.stdout.write(`${JSON.stringify({ url: service.url, pid: process.pid })}\n`);
  await untilAskedToEnd();
  await service.close();
}

/** A progress bar for the initial training, where somebody looks. */
class InitialProgress {
  #bar: SingleBar | null = null;

  show({ progress }: LearnerStatus): void {
    if (!process.stderr.isTTY || progress === null) return;
    if (progress.phase === 'initial') {
      this.#bar ??= startBar(progress.planned ?? 0);
      this.#bar.update(progress.done, { loss: progress.loss.toFixed(3) });
    } else if (this.#bar !== null) {
      this.#bar.stop();
      this.#bar = null;
    }
  }
}

function startBar(total: number): SingleBar {
  const bar = new SingleBar({
    format: 'initial training {bar} {percentage} % | {value}/{total} steps | {eta} s left | loss {loss}',
  });
  bar.start(total, 0, { loss: '–' });
  return bar;
}
