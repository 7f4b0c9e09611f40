/**
 * The learner in this process, with a real version log at the other end of its channel, and deaths at chosen instants:
 * what a killed process leaves behind is its files, so a run that breaks off leaves the same.
 */
import { strict as assert } from 'node:assert';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { asWeightsVersion } from '@freshet/protocol/ids';
import { splitModel } from '@freshet/protocol/model';
import type { SampleFormat } from '@freshet/protocol/sample-format';
import { NO_WARM_UP } from '@freshet/trainer/core/learning-rate';
import { parsePublishEvery } from '@freshet/trainer/core/publish-policy/publish-every';
import { parseSampler } from '@freshet/trainer/core/samplers/sampler-option';
import { DEFAULT_SELECTION } from '@freshet/trainer/core/sparsifiers/selection';
import { parseStrategy } from '@freshet/trainer/core/strategies/strategy-option';
import { SAMPLE_LIMITS_DEFAULT } from '@freshet/trainer/history/sample-log/sample-capacity';
import { VersionLog } from '@freshet/trainer/history/version-log';
import type { LearnerChannel } from '@freshet/trainer/learn/process/ipc-channel';
import { runLearner } from '@freshet/trainer/learn/process/learner';
import type {
  FromLearner,
  LearnerConfig,
  LearnerProgress,
  ToLearner,
} from '@freshet/trainer/learn/process/messages';

/** A dense model of 38 weights, on two classes that a line divides. */
const recipeText = (source: string) => `
const sampleAt = (index) => {
  const input = Array.from({ length: 4 }, (_, i) => Math.sin(index * 12.9898 + i * 78.233));
  return { input, label: input[0] + input[1] > (index > 200 ? 0.9 : 0) ? 1 : 0 };
};
export const recipe = {
  name: 'line',
  input: { shape: [4], dtype: 'float32' },
  target: { kind: 'class', classCount: 2 },
  loss: 'softmax-cross-entropy',
  buildModel: ({ tf, drawSeed }) =>
    tf.sequential({
      layers: [4, 2].map((units, i) =>
        tf.layers.dense({
          name: 'dense' + i,
          ...(i === 0 && { inputShape: [4], activation: 'tanh' }),
          units,
          kernelInitializer: tf.initializers.glorotUniform({ seed: drawSeed() }),
        }),
      ),
    }),
  ${source}
};`;

const SOURCES = {
  endless: `openSource: () => ({ train: { count: 50, sample: sampleAt }, initialCount: 20, repeats: true }),`,
  long: `openSource: () => ({ train: { count: 100_000, sample: sampleAt }, initialCount: 20 }),`,
  short: `openSource: () => ({ train: { count: 60, sample: sampleAt }, initialCount: 20 }),`,
  none: '',
};

/** Thrown at the instant at which the process is to have died. */
class Death extends Error {}

export interface Outcome {
  /** Root of each published version, from 1 on. */
  readonly roots: readonly string[];
  /** Versions that came out otherwise than in the log. */
  readonly diverged: readonly number[];
  readonly progress: readonly LearnerProgress[];
  readonly ended: 'finished' | 'stopped' | 'died';
}

export interface RunOptions {
  readonly config?: Partial<LearnerConfig>;
  /** Dies when this says so, at a message, before the trainer has it. */
  readonly diesBefore?: (message: FromLearner) => boolean;
  /** Dies when this says so, at a message that the trainer has taken but not answered. */
  readonly diesAfter?: (message: FromLearner) => boolean;
  /** Is told to stop after this one has been published. */
  readonly lastVersion?: number;
  /** Is told to stop when this says so, which is asked at each message and pause. */
  readonly stopsWhen?: (message: FromLearner | null) => boolean;
  readonly onModel?: (format: SampleFormat) => void;
}

export class LearnerRuns {
  readonly directory: string;
  readonly #recipe: string;

  /** `file`: of the recipe; Node reads each only once. */
  constructor(directory: string, source: keyof typeof SOURCES = 'long', file = 'line.js') {
    this.directory = directory;
    this.#recipe = join(directory, file);
    writeFileSync(this.#recipe, recipeText(SOURCES[source]));
  }

  get samplesPath(): string {
    return join(this.directory, 'samples.db');
  }

  get versionsPath(): string {
    return join(this.directory, 'versions.db');
  }

  get checkpointPath(): string {
    return join(this.directory, 'learner.checkpoint');
  }

  /** One life of the learner. Deaths that a test has put elsewhere are thrown by `die`. */
  async run(options: RunOptions): Promise<Outcome> {
    const versionLog = VersionLog.open(this.versionsPath, { clock: Date.now });
    const channel = new TestChannel(versionLog, options);
    try {
      await runLearner({ ...this.#config(), ...options.config }, channel);
      return channel.outcome(channel.finished ? 'finished' : 'stopped');
    } catch (error) {
      if (error instanceof Death) return channel.outcome('died');
      throw error;
    } finally {
      versionLog.close();
    }
  }

  #config(): LearnerConfig {
    return {
      recipe: this.#recipe,
      backend: 'cpu',
      seed: 3,
      initialCount: 20,
      initialEpochs: 1,
      batchCount: 8,
      freshCount: 4,
      strategy: parseStrategy('proactive'),
      trigger: null,
      sampler: parseSampler('uniform'),
      optimiser: { kind: 'adam' },
      learningRate: 0.01,
      warmUp: NO_WARM_UP,
      resetOptimiser: false,
      sparsifier: 'shadow',
      selection: DEFAULT_SELECTION,
      density: 0.2,
      values: 'f32',
      publish: parsePublishEvery('2'),
      signed: false,
      stepsMax: null,
      samplesPath: this.samplesPath,
      sampleLimits: SAMPLE_LIMITS_DEFAULT,
      checkpointPath: this.checkpointPath,
      checkpointEveryMs: 1e9,
    };
  }
}

/** Ends the life of the learner at the instant at which it is called. */
export function die(): never {
  throw new Death();
}

class TestChannel implements LearnerChannel {
  readonly #versionLog: VersionLog;
  readonly #options: RunOptions;
  readonly #diverged: number[] = [];
  readonly #progress: LearnerProgress[] = [];
  #answer: ToLearner | null = null;
  stopped = false;
  finished = false;

  constructor(versionLog: VersionLog, options: RunOptions) {
    this.#versionLog = versionLog;
    this.#options = options;
  }

  outcome(ended: Outcome['ended']): Outcome {
    const log = this.#versionLog;
    const roots = log.versions(1e6).map(({ version }) => log.rootOf(version)!.toString());
    return { roots: roots.reverse(), diverged: this.#diverged, progress: this.#progress, ended };
  }

  async send(message: FromLearner): Promise<void> {
    if (this.#options.diesBefore?.(message)) die();
    this.#take(message);
    if (this.#options.diesAfter?.(message)) die();
    this.#stopIfDue(message);
  }

  async next<Type extends 'begin' | 'published'>(type: Type) {
    const answer = this.#answer;
    this.#answer = null;
    assert(answer?.type === type);
    return answer as Extract<ToLearner, { type: Type }>;
  }

  async pause(ms: number): Promise<void> {
    this.#stopIfDue(null);
    if (!this.stopped) await new Promise((resolve) => setTimeout(resolve, ms / 25));
  }

  async untilStopped(): Promise<void> {
    this.stopped = true;
  }

  #stopIfDue(message: FromLearner | null): void {
    const { lastVersion = Number.POSITIVE_INFINITY, stopsWhen } = this.#options;
    if ((this.#versionLog.head()?.version ?? 0) >= lastVersion || stopsWhen?.(message)) this.stopped = true;
  }

  #take(message: FromLearner): void {
    const log = this.#versionLog;
    switch (message.type) {
      case 'model': {
        log.setModel(splitModel(message.modelId, message.file).model);
        this.#options.onModel?.(message.sampleFormat);
        const head = log.head();
        const [newest] = head === null ? [] : log.versions(1);
        const resume =
          head === null || newest === undefined
            ? null
            : { head, weights: log.headWeights(), step: newest.step, samplesSeen: newest.samplesSeen };
        this.#answer = { type: 'begin', lineId: log.lineId, resume };
        return;
      }
      case 'initial': {
        const version = asWeightsVersion(1);
        log.appendSnapshot({ version, root: message.root }, message.weights, message.note);
        this.#answer = { type: 'published', version, isSame: true };
        return;
      }
      case 'publication': {
        const version = message.next;
        const isNew = version > log.head()!.version;
        if (isNew) log.appendDelta(message);
        const isSame = log.rootOf(version) === message.root;
        if (!isSame) this.#diverged.push(version);
        this.#answer = { type: 'published', version, isSame };
        return;
      }
      case 'progress':
        this.#progress.push(message.progress);
        return;
      case 'finished':
        this.finished = true;
        return;
      default:
        throw new Error(JSON.stringify(message));
    }
  }
}
