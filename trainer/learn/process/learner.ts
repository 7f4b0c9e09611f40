/**
 * The life of a learner: initial training, then rounds on the stream without end, publishing as it goes. Knows nothing
 * of processes: it talks through a channel.
 *
 * A run that was killed goes on from its checkpoint, repeats what it did since, and publishes the same versions again,
 * which the trainer compares with its log. Where there is no checkpoint, or the repetition comes out otherwise (another
 * backend rounds in another way), it goes on from the newest version in the log.
 */
import { isDeepStrictEqual } from 'node:util';
import { assert } from '@freshet/protocol/assert';
import { digestWeights } from '@freshet/protocol/digest';
import { asWeightsVersion, type LineId } from '@freshet/protocol/ids';
import { createRandom, type Random } from '../../core/random.ts';
import { formatsOf, parseValueFormats } from '../../core/value-formats.ts';
import { LearnerSampleLog } from '../../history/sample-log/learner-sample-log.ts';
import { capacityOf } from '../../history/sample-log/sample-capacity.ts';
import { selectBackend } from '../backends/select-backend.ts';
import { CanonicalModel } from '../canonical-model.ts';
import { type Checkpoint, readCheckpoint, writeCheckpoint } from '../checkpoint.ts';
import { initialStepCount, trainInitially } from '../initial-training.ts';
import { readingsOf } from '../metrics/metric-reading.ts';
import { recipeOf } from '../recipes.ts';
import type { SampleSource } from '../sample-source.ts';
import { LoggedStock } from '../stream/logged-stock.ts';
import { type StreamState, streamStart, TEST_BATCH_COUNT } from '../stream/stream-training.ts';
import { TrainStep } from '../train-step.ts';
import { checkTrigger } from './check-trigger.ts';
import { type CourseContext, type CourseStart, startCourse, triggerSpecIn } from './course.ts';
import type { LearnerChannel } from './ipc-channel.ts';
import type { LearnerConfig, PublicationNote, ResumePoint, TestResult } from './messages.ts';
import { ProgressReport } from './progress-report.ts';
import { followStream } from './stream-loop.ts';
import { Versions } from './versions.ts';

/** Runs until the channel says stop. @throws FreshetError for what a person has to mend */
export async function runLearner(config: LearnerConfig, channel: LearnerChannel): Promise<void> {
  const recipe = await recipeOf(config.recipe);
  const source = recipe.openSource();
  const { waitingMax } = capacityOf(recipe.format, config.sampleLimits);
  if (source.train === null) checkTrigger(triggerSpecIn(config), waitingMax);
  const backend = await selectBackend(config.backend);
  const { seed, learningRate, optimiser } = config;
  const trainStep = new TrainStep(recipe, { seed, learningRate, optimiser });
  const log = LearnerSampleLog.open(config.samplesPath, { format: recipe.format, clock: Date.now });
  try {
    const canonical = await CanonicalModel.of(trainStep, recipe.name);
    // Before anybody is told what samples look like, and sends some: these come first.
    const initialCount = Math.min(config.initialCount, source.initialCount);
    log.appendFromSource(0, initialCount);
    const { file } = canonical;
    const { name, why } = backend;
    await channel.send({
      type: 'model',
      modelId: recipe.name,
      backend: name,
      backendReasons: why,
      file,
      sampleFormat: recipe.format,
    });
    const begin = await channel.next('begin');
    if (begin === null) return;
    const names = canonical.model.tensors.map((tensor) => tensor.name);
    const formats = formatsOf(names, parseValueFormats(config.values));
    const countMax = Math.max(config.batchCount, TEST_BATCH_COUNT);
    const stock = new LoggedStock(log, source, recipe, countMax, (problem) => {
      void channel.send({ type: 'unusable', problem });
    });
    const context = { config, trainStep, canonical, stock, formats };
    const learner = new Learner(context, channel, log, source, begin.lineId);
    await learner.run(begin.resume, initialCount);
  } finally {
    log.close();
    trainStep.dispose();
  }
}

/** The first round of a log; those of the stream come after it. */
const INITIAL_ROUND = 0;

class Learner {
  readonly #context: CourseContext;
  readonly #channel: LearnerChannel;
  readonly #log: LearnerSampleLog;
  readonly #source: SampleSource;
  readonly #lineId: LineId;
  readonly #report: ProgressReport;
  /** Steps on the stream before this run. */
  #stepsBefore = 0;

  constructor(
    context: CourseContext,
    channel: LearnerChannel,
    log: LearnerSampleLog,
    source: SampleSource,
    lineId: LineId,
  ) {
    this.#context = context;
    this.#channel = channel;
    this.#log = log;
    this.#source = source;
    this.#lineId = lineId;
    this.#report = new ProgressReport(channel);
  }

  /** `resume`: null where nothing is published yet. */
  async run(resume: ResumePoint | null, initialCount: number): Promise<void> {
    const checkpoint = this.#readCheckpoint();
    if (resume === null) {
      if (checkpoint?.version === 0) await this.#publishFirst(checkpoint);
      else await this.#runFromStart(initialCount);
      return;
    }
    this.#stepsBefore = resume.step;
    // One of a log that was put back to an older state is of no use.
    const isUsable = checkpoint !== null && checkpoint.version <= resume.head.version;
    if (isUsable && (await this.#repeat(checkpoint))) return;
    await this.#runFromHead(resume, checkpoint, initialCount);
  }

  /** Initial training, version 1, then the stream. */
  async #runFromStart(initialCount: number): Promise<void> {
    const { config, trainStep, canonical } = this.#context;
    const random = createRandom(config.seed);
    if (!(await this.#trainInitially(initialCount, random))) return;
    if (config.resetOptimiser) trainStep.resetOptimizer();
    const weights = await canonical.readWeights();
    const state = this.#streamStart(initialCount, random);
    const course = startCourse(this.#context, {
      state,
      shadow: weights,
      checkpoint: null,
      nowMs: Date.now(),
    });
    const checkpoint = await this.#checkpointOf(course, 0);
    // Before the version is published: whoever dies in between publishes the same one.
    this.#write(checkpoint, []);
    await this.#publishFirst(checkpoint);
  }

  /** A stream behind all that has been taken from the log so far; of a new log these are the samples of the initial training. */
  #streamStart(initialCount: number, random: Random): StreamState {
    // What is on record of versions is of runs that this one does not repeat, or of another line.
    this.#log.rewind(this.#log.state().step);
    if (this.#log.state().step < INITIAL_ROUND) this.#log.takeStep(INITIAL_ROUND, initialCount);
    const { step: round, takenEnd } = this.#log.state();
    return streamStart(round + 1, takenEnd, random);
  }

  /** False when it was stopped. */
  async #trainInitially(sampleCount: number, random: Random): Promise<boolean> {
    const { config, trainStep } = this.#context;
    const options = { sampleCount, epochs: config.initialEpochs, batchCount: config.batchCount };
    const planned = initialStepCount(options);
    const { name, better } = trainStep.recipe.metric;
    const unread = readingsOf({ name, better, cumulative: null, windowed: null });
    await trainInitially(trainStep, this.#source, options, random, async (done, { loss }) => {
      const note = { step: 0, samplesSeen: 0, loss, ...unread };
      await this.#report.step({ ...note, phase: 'initial', done, planned }, done === planned);
      return !this.#channel.stopped;
    });
    return !this.#channel.stopped;
  }

  /** Version 1 is what the initial training gave; then the stream. `checkpoint`: of that moment. */
  async #publishFirst(checkpoint: Checkpoint): Promise<void> {
    const { trainStep, canonical } = this.#context;
    await this.#restore(checkpoint);
    const version = asWeightsVersion(1);
    const { weights, stream: state } = checkpoint;
    const root = digestWeights(weights, canonical.model.digest, version);
    const { name, better } = trainStep.recipe.metric;
    const unread = readingsOf({ name, better, cumulative: null, windowed: null });
    const note: PublicationNote = { step: 0, samplesSeen: state.position, loss: 0, ...unread };
    await this.#channel.send({ type: 'initial', weights, root, note });
    if ((await this.#channel.next('published')) === null) return;
    const isSame = await this.#follow({ state, shadow: weights, checkpoint, nowMs: Date.now() }, 1);
    assert(isSame, 'nobody else publishes on this line');
  }

  /** Goes on from `checkpoint`; false when what it published since comes out otherwise than in the log. */
  async #repeat(checkpoint: Checkpoint): Promise<boolean> {
    await this.#restore(checkpoint);
    // Version 1 is the weights of a checkpoint that was written before it.
    const version = Math.max(1, checkpoint.version);
    const { stream: state, shadow } = checkpoint;
    return this.#follow({ state, shadow, checkpoint, nowMs: Date.now() }, version);
  }

  /** Goes on from the weights of the newest version. The optimiser keeps what it has learnt, if anything is left of it. */
  async #runFromHead(
    resume: ResumePoint,
    checkpoint: Checkpoint | null,
    initialCount: number,
  ): Promise<void> {
    const { config, trainStep, canonical } = this.#context;
    await canonical.writeWeights(resume.weights);
    if (checkpoint === null) trainStep.resetOptimizer();
    else trainStep.writeOptimizer(checkpoint.optimizer);
    const begun = this.#streamStart(initialCount, createRandom(config.seed));
    const state = { ...begun, step: resume.step, scheduleStep: resume.step };
    const start = { state, shadow: resume.weights, checkpoint: null, nowMs: Date.now() };
    const isSame = await this.#follow(start, resume.head.version);
    assert(isSame, 'nobody else publishes on this line');
  }

  /**
   * Follows the stream until it is stopped, or its run is over; false when it has diverged from the trainer's log.
   * `version`: the one whose weights are the shadow.
   */
  async #follow(start: CourseStart, version: number): Promise<boolean> {
    const { config, canonical } = this.#context;
    const course = startCourse(this.#context, start);
    // Before anything is forgotten that the sampler of the checkpoint on disk may draw.
    if (!isDeepStrictEqual(course.sampler.state(), start.checkpoint?.sampler)) {
      this.#write(await this.#checkpointOf(course, version), []);
    }
    // What an earlier run would have forgotten, had it lived a moment longer.
    this.#log.keepOnly(course.sampler.all(), start.state.position);
    const { sparsifier, policy } = course;
    const versions = new Versions(
      { channel: this.#channel, canonical, sparsifier, policy, log: this.#log, signed: config.signed },
      asWeightsVersion(version),
    );
    const checkpoint = async (): Promise<void> => {
      this.#write(await this.#checkpointOf(course, versions.head), course.stream.takeGone());
    };
    const end = await followStream({
      config,
      channel: this.#channel,
      stream: course.stream,
      versions,
      report: this.#report,
      // After the newest version there may have been steps without one.
      stepsBefore: Math.max(this.#stepsBefore, start.state.step),
      goneMax: capacityOf(this.#context.trainStep.recipe.format, config.sampleLimits).waitingMax,
      checkpoint,
    });
    if (end === 'diverged') return false;
    if (end === 'stopped') return true;
    await this.#channel.send({ type: 'finished', test: await this.#test() });
    await this.#channel.untilStopped();
    return true;
  }

  /** Null where no samples are held out. */
  async #test(): Promise<TestResult | null> {
    const { test } = this.#source;
    if (test === null) return null;
    const { trainStep } = this.#context;
    const { name, better } = trainStep.recipe.metric;
    return { name, better, value: await trainStep.evaluate(test, 0, test.count) };
  }

  /** The checkpoint, if there is one that is of this line and model. @throws STORE_CORRUPT when it is damaged */
  #readCheckpoint(): Checkpoint | null {
    const checkpoint = readCheckpoint(this.#context.config.checkpointPath);
    const isOurs =
      checkpoint?.lineId === this.#lineId && checkpoint.modelDigest === this.#context.canonical.model.digest;
    return isOurs ? checkpoint : null;
  }

  async #restore(checkpoint: Checkpoint): Promise<void> {
    const { trainStep, canonical } = this.#context;
    await canonical.writeWeights(checkpoint.weights);
    trainStep.writeOptimizer(checkpoint.optimizer);
  }

  async #checkpointOf(
    { stream, sampler, trigger, policy, sparsifier }: ReturnType<typeof startCourse>,
    version: number,
  ): Promise<Checkpoint> {
    const { trainStep, canonical } = this.#context;
    return {
      lineId: this.#lineId,
      modelDigest: canonical.model.digest,
      stream: stream.state(),
      sampler: sampler.state(),
      trigger: trigger.state(),
      policy: policy.state(),
      sparsifier: sparsifier.state(),
      version,
      shadow: sparsifier.shadow,
      weights: await canonical.readWeights(),
      optimizer: await trainStep.readOptimizer(),
    };
  }

  /** `gone`: arrivals that left history since the last one. */
  #write(checkpoint: Checkpoint, gone: readonly number[]): void {
    this.#log.flush();
    writeCheckpoint(this.#context.config.checkpointPath, checkpoint);
    this.#log.checkpointed(checkpoint.stream.round, checkpoint.version, gone);
  }
}
