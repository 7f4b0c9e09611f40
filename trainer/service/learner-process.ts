/**
 * The trainer's end of the learner: starts the process, makes what it publishes durable before anyone hears of it,
 * and starts it again when it dies.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { unreachable } from '@freshet/protocol/assert';
import type { ErrorCode } from '@freshet/protocol/errors';
import { asWeightsVersion } from '@freshet/protocol/ids';
import { splitModel } from '@freshet/protocol/model';
import type { SampleFormat } from '@freshet/protocol/sample-format';
import type { Logger } from 'pino';
import type { VersionLog } from '../history/version-log.ts';
import type {
  FromLearner,
  LearnerConfig,
  LearnerProgress,
  ResumePoint,
  TestResult,
  ToLearner,
} from '../learn/process/messages.ts';

/** Deaths in a row, without a publication between them, after which it is left dead. */
const DEATHS_MAX = 3;
const STOP_TIMEOUT_MS = 30_000;

export interface LearnerStatus {
  readonly state: 'starting' | 'initial' | 'stream' | 'finished' | 'stopped' | 'failed';
  /** Of the learner's process; null while there is none. */
  readonly pid: number | null;
  readonly backend: string | null;
  readonly progress: LearnerProgress | null;
  /**
   * The recipe's metric of the dense trained weights on the held-out samples; null before the run has finished, and where
   * no samples are held out.
   */
  readonly test: TestResult | null;
  /** The same where the metric is accuracy. */
  readonly testAccuracy: number | null;
  readonly failure: { readonly code: ErrorCode; readonly message: string } | null;
}

export interface LearnerProcessOptions {
  readonly config: LearnerConfig;
  readonly versionLog: VersionLog;
  readonly log: Logger;
  /** What samples from elsewhere have to look like; each time that the learner starts, before it publishes. */
  onSampleFormat(format: SampleFormat): void;
  /** A version has become the head of the log. */
  onPublished(): void;
  onChange(status: LearnerStatus): void;
}

export class LearnerProcess {
  readonly #options: LearnerProcessOptions;
  #child: ChildProcess | null = null;
  #deaths = 0;
  #stopping = false;
  #status: LearnerStatus = {
    state: 'starting',
    pid: null,
    backend: null,
    progress: null,
    test: null,
    testAccuracy: null,
    failure: null,
  };

  constructor(options: LearnerProcessOptions) {
    this.#options = options;
  }

  get status(): LearnerStatus {
    return this.#status;
  }

  start(): void {
    const { config, log } = this.#options;
    // stdout is the trainer's own: what a library prints there goes to stderr.
    const child = fork(new URL('../learn/process/main.ts', import.meta.url), [JSON.stringify(config)], {
      serialization: 'advanced',
      stdio: ['ignore', 2, 2, 'ipc'],
    });
    this.#child = child;
    this.#change({ pid: child.pid ?? null });
    child.on('message', (message: FromLearner) => this.#receive(child, message));
    child.on('exit', (exitCode, signal) => this.#ended(exitCode, signal));
    child.on('error', (error) => log.error({ err: error }, 'the learner process cannot be reached'));
  }

  /** Lets the learner write its checkpoint and end. */
  async stop(): Promise<void> {
    this.#stopping = true;
    const child = this.#child;
    if (child === null) return;
    const { promise: exited, resolve } = Promise.withResolvers<void>();
    child.once('exit', () => resolve());
    reply(child, { type: 'stop' });
    const deadline = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
    await exited;
    clearTimeout(deadline);
  }

  #receive(child: ChildProcess, message: FromLearner): void {
    const { versionLog } = this.#options;
    switch (message.type) {
      case 'model':
        this.#takeModel(message);
        this.#begin(child);
        return;
      case 'progress':
        this.#change({ state: message.progress.phase, progress: message.progress });
        return;
      case 'initial': {
        const version = asWeightsVersion(1);
        versionLog.appendSnapshot({ version, root: message.root }, message.weights, message.note);
        // Said now: the first step on the stream may have to wait for samples.
        this.#change({ state: 'stream' });
        this.#published(child, version);
        return;
      }
      case 'publication':
        this.#takePublication(child, message);
        return;
      case 'unusable':
        this.#options.log.error({ problem: message.problem }, 'a sample from elsewhere is passed over');
        return;
      case 'finished':
        this.#change({
          state: 'finished',
          test: message.test,
          testAccuracy: message.test?.name === 'accuracy' ? message.test.value : null,
        });
        return;
      case 'failed':
        this.#change({ failure: { code: message.code, message: message.message } });
        return;
      default:
        unreachable(message);
    }
  }

  #takeModel(message: Extract<FromLearner, { type: 'model' }>): void {
    const { versionLog, log, onSampleFormat } = this.#options;
    const { model } = splitModel(message.modelId, message.file);
    versionLog.setModel(model);
    onSampleFormat(message.sampleFormat);
    const unused = message.backendReasons.join('; ');
    log.info(
      { backend: message.backend, model: model.modelId, weights: model.elementCount },
      `training on ${message.backend}${unused === '' ? '' : ` (${unused})`}`,
    );
    this.#change({ backend: message.backend });
  }

  #begin(child: ChildProcess): void {
    const resume = this.#resumePoint();
    if (resume !== null) this.#change({ state: 'stream' });
    reply(child, { type: 'begin', lineId: this.#options.versionLog.lineId, resume });
  }

  #resumePoint(): ResumePoint | null {
    const { versionLog } = this.#options;
    const head = versionLog.head();
    if (head === null) return null;
    const [newest] = versionLog.versions(1);
    return {
      head,
      weights: versionLog.headWeights(),
      step: newest!.step,
      samplesSeen: newest!.samplesSeen,
    };
  }

  /** Of a version that the log has already, a learner that goes on from its checkpoint only wants to know the root. */
  #takePublication(child: ChildProcess, message: Extract<FromLearner, { type: 'publication' }>): void {
    const { versionLog, log } = this.#options;
    const head = versionLog.head();
    if (head === null || message.next > head.version) {
      versionLog.appendDelta(message);
      this.#published(child, message.next);
      return;
    }
    const root = versionLog.rootOf(message.next);
    // One that is not kept any more cannot be compared; those after it will be.
    const isSame = root === null || root === message.root;
    if (!isSame) {
      log.error(
        { version: message.next },
        'the learner does not come to the same version again (another backend, or other options): it goes on from the newest',
      );
    }
    reply(child, { type: 'published', version: message.next, isSame });
  }

  #published(child: ChildProcess, version: ReturnType<typeof asWeightsVersion>): void {
    this.#deaths = 0;
    reply(child, { type: 'published', version, isSame: true });
    this.#options.onPublished();
  }

  #ended(exitCode: number | null, signal: NodeJS.Signals | null): void {
    this.#child = null;
    this.#change({ pid: null });
    if (this.#stopping) {
      this.#change({ state: 'stopped' });
      return;
    }
    const { log, versionLog } = this.#options;
    const failure = this.#status.failure;
    this.#deaths++;
    if (failure !== null || this.#deaths >= DEATHS_MAX) {
      const cause = failure ?? {
        code: 'LEARNER_FAILED' as const,
        message: `the learner died ${this.#deaths} times in a row (exit code ${exitCode}, signal ${signal})`,
      };
      // With nothing published the service has no use and ends, with this reason.
      if (versionLog.head() !== null) {
        log.error(
          { code: cause.code },
          `training has ended: ${cause.message}; the hub goes on serving what is published`,
        );
      }
      this.#change({ state: 'failed', failure: cause });
      return;
    }
    log.error({ exitCode, signal }, 'the learner died; starting it again');
    this.#change({ state: 'starting' });
    this.start();
  }

  #change(change: Partial<LearnerStatus>): void {
    this.#status = { ...this.#status, ...change };
    this.#options.onChange(this.#status);
  }
}

/** A learner that has just died misses it; its exit is handled on its own. */
function reply(child: ChildProcess, message: ToLearner): void {
  if (child.connected) child.send(message);
}
