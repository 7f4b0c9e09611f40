/** `freshet start`: its options. What it does is loaded only when it is run: other commands should answer at once. */
import { FreshetError } from '@freshet/protocol/errors';
import type { CommonOptions } from '@freshet/protocol/local/command';
import { integerIn, notEmpty, numberIn, port } from '@freshet/protocol/local/option-values';
import { type Command, Option } from 'commander';
import { NO_WARM_UP, parseWarmUp, type WarmUp } from '../core/learning-rate.ts';
import { type PublishPolicySpec, parseBudget } from '../core/publish-policy/policy-option.ts';
import { parsePublishEvery } from '../core/publish-policy/publish-every.ts';
import { parseSampler, type SamplerSpec } from '../core/samplers/sampler-option.ts';
import { parseSparsifier } from '../core/sparsifiers/create-sparsifier.ts';
import {
  DEFAULT_SELECTION,
  SELECTION_MEASURES,
  SELECTION_SCOPES,
  type SelectionMeasure,
  type SelectionScope,
} from '../core/sparsifiers/selection.ts';
import type { SparsifierName } from '../core/sparsifiers/sparsifier.ts';
import { parseStrategy, type StrategySpec } from '../core/strategies/strategy-option.ts';
import { parseTrigger, type TriggerSpec } from '../core/triggers/trigger-option.ts';
import { parseValueFormats } from '../core/value-formats.ts';
import { SAMPLE_LIMITS_DEFAULT } from '../history/sample-log/sample-capacity.ts';
import { BACKEND_NAMES, type BackendName } from '../learn/backends/backend.ts';
import { type OptimiserSpec, parseOptimiser } from '../learn/optimisers/optimiser-spec.ts';
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
  readonly strategy: StrategySpec;
  readonly trigger?: TriggerSpec;
  readonly sampler: SamplerSpec;
  readonly historySamples: number;
  readonly historyBytes: number;
  readonly optimiser: OptimiserSpec;
  readonly learningRate: number;
  readonly warmUp: WarmUp;
  readonly resetOptimiser?: boolean;
  readonly sparsifier: SparsifierName;
  readonly select: SelectionScope;
  readonly by: SelectionMeasure;
  readonly density: number;
  readonly values: string;
  readonly publishEvery: PublishPolicySpec;
  readonly budget?: PublishPolicySpec;
  readonly steps?: number;
  readonly keepVersions: number;
  readonly heartbeatMs: number;
  readonly checkpointSeconds: number;
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
const CHECKPOINT_SECONDS_MAX = 24 * 60 * 60;
const SEED_MAX = 2 ** 32 - 1;

export function startCommand(): Command {
  const command = trainerCommand('start', 'Train, and publish to the agents that connect.');
  for (const option of [
    ...networkOptions(),
    ...publisherOptions(),
    ...trainingOptions(),
    ...strategyOptions(),
  ])
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
  freshet start --budget 20kB/s --values f16
  freshet start --density 0.0001 --values f16,*bias=f32
  freshet start --port 0 --json      print {"url": …} once it listens`,
    )
    .action(async (options: StartOptions) => {
      refuseContradictions(options);
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
    new Option(
      '--checkpoint-seconds <count>',
      'between two checkpoints: what a killed learner does again at most',
    )
      .env('FRESHET_CHECKPOINT_SECONDS')
      .argParser(integerIn(1, CHECKPOINT_SECONDS_MAX))
      .default(30),
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
    new Option('--density <share>', 'share of the weights in one delta')
      .argParser(numberIn(0, 1))
      .default(0.01),
    new Option(
      '--values <formats>',
      'how values travel: f32 exact; f16, bf16 rounded; q8, q4 as scaled differences; f16,*bias=f32 mixes them',
    )
      .argParser(valueFormats)
      .default('f32'),
    new Option('--publish-every <interval>', 'between two versions: a number of steps, or a time (500ms, 2s)')
      .argParser((text) => parsePublishEvery(text))
      .default(parsePublishEvery('5'), '5'),
    new Option('--budget <rate>', 'publish as often and as much as so many bytes allow (20kB/s, 256kbit/s)')
      .argParser((text) => parseBudget(text))
      .conflicts('publishEvery'),
    new Option('--sparsifier <name>', 'shadow, or for comparison the paper’s gradient and random-k')
      .argParser(parseSparsifier)
      .default('shadow'),
    new Option('--select <scope>', 'where the largest changes are looked for')
      .choices(SELECTION_SCOPES)
      .default(DEFAULT_SELECTION.scope),
    new Option('--by <measure>', "what is large: the change itself, or against its tensor's scale")
      .choices(SELECTION_MEASURES)
      .default(DEFAULT_SELECTION.measure),
  ];
}

/** What is trained on, and how. */
function strategyOptions(): Option[] {
  return [
    new Option('--strategy <name>', 'proactive, online, full-retrain:scratch, full-retrain:warm, frozen')
      .argParser((text) => parseStrategy(text))
      .default(parseStrategy('proactive'), 'proactive'),
    new Option(
      '--trigger <when>',
      "when to train: samples:8, time:500, drift:adwin, drift:page-hinkley; the strategy's own by default",
    ).argParser((text) => parseTrigger(text)),
    new Option(
      '--sampler <name>',
      'what is drawn from history: uniform, window:N, time-decayed:HALF_LIFE, reservoir:N, class-balanced:N',
    )
      .argParser((text) => parseSampler(text))
      .default(parseSampler('uniform'), 'uniform'),
    new Option('--history-samples <count>', 'samples to keep on disk, at most')
      .argParser(integerIn(1))
      .default(SAMPLE_LIMITS_DEFAULT.historyMax),
    new Option('--history-bytes <count>', 'bytes that they may take')
      .argParser(integerIn(1))
      .default(SAMPLE_LIMITS_DEFAULT.bytesMax),
    new Option('--optimiser <name>', 'adam, amsgrad, sgd, momentum:0.9, nesterov:0.9')
      .argParser(parseOptimiser)
      .default(parseOptimiser('adam'), 'adam'),
    new Option('--learning-rate <rate>', 'of the optimiser').argParser(numberIn(0, 1)).default(0.001),
    new Option('--warm-up <steps>', 'steps after the initial training until the full learning rate; 200:0.1')
      .argParser(parseWarmUp)
      .default(NO_WARM_UP, '0'),
    new Option('--reset-optimiser', 'forget its state after the initial training'),
    new Option(
      '--steps <count>',
      'stop training after so many steps on the stream; the hub goes on',
    ).argParser(integerIn(1)),
  ];
}

/** @throws CONFIG_INVALID */
function valueFormats(text: string): string {
  parseValueFormats(text);
  return text;
}

/** Options that are right one by one and wrong together. @throws CONFIG_INVALID */
function refuseContradictions(options: StartOptions): void {
  const problem = contradictionIn(options);
  if (problem !== null) throw new FreshetError('CONFIG_INVALID', problem);
}

function contradictionIn({ fresh, batch, strategy, sparsifier, budget }: StartOptions): string | null {
  if (fresh > batch) {
    return `--fresh ${fresh} is more than --batch ${batch} holds: lower one or raise the other`;
  }
  const fromScratch = strategy.kind === 'full-retrain' && strategy.from === 'scratch';
  if (fromScratch && budget !== undefined) {
    return '--budget: a retraining from scratch is published whole, whatever it costs: use --strategy full-retrain:warm';
  }
  if (fromScratch && sparsifier !== 'shadow') {
    return `--sparsifier ${sparsifier} knows nothing of weights that start anew: use shadow with full-retrain:scratch`;
  }
  if (budget !== undefined && sparsifier !== 'shadow') {
    return `--budget: ${sparsifier} chooses before it is known what may be sent: use --sparsifier shadow`;
  }
  return null;
}
