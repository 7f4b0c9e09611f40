/**
 * The life of a learner: initial training, then steps on the stream without end, publishing as it goes. Knows nothing
 * of processes: it talks through a channel.
 */
import { digestWeights } from '@freshet/protocol/digest';
import { asWeightsVersion, type LineId, type WeightsVersion } from '@freshet/protocol/ids';
import type { ValueFormat } from '@freshet/protocol/payload/value-format';
import { createRandom } from '../../core/random.ts';
import { ShadowPublisher } from '../../core/shadow-publisher.ts';
import { StepRate } from '../../core/step-rate.ts';
import { formatsOf, parseValueFormats } from '../../core/value-formats.ts';
import { selectBackend } from '../backends/select-backend.ts';
import { CanonicalModel } from '../canonical-model.ts';
import { readCheckpoint, writeCheckpoint } from '../checkpoint.ts';
import { initialStepCount, trainInitially } from '../initial-training.ts';
import { readingsOf } from '../metrics/metric-reading.ts';
import { recipeOf } from '../recipes.ts';
import type { SampleSource } from '../sample-source.ts';
import { StreamTraining, streamStart } from '../stream-training.ts';
import { TrainStep } from '../train-step.ts';
import type { LearnerChannel } from './ipc-channel.ts';
import type { LearnerConfig, LearnerProgress, ResumePoint, TestResult } from './messages.ts';

/** More often than this nobody can read it. */
const PROGRESS_INTERVAL_MS = 200;

/** Runs until the channel says stop. @throws FreshetError for what a person has to mend */
export async function runLearner(config: LearnerConfig, channel: LearnerChannel): Promise<void> {
  const recipe = await recipeOf(config.recipe);
  const source = recipe.openSource();
  const backend = await selectBackend(config.backend);
  const trainStep = new TrainStep(recipe, { seed: config.seed, learningRate: config.learningRate });
  const canonical = await CanonicalModel.of(trainStep, recipe.name);
  const names = canonical.model.tensors.map((tensor) => tensor.name);
  const formats = formatsOf(names, parseValueFormats(config.values));
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
  const learner = new Learner(config, channel, begin.lineId, trainStep, canonical, source, formats);
  await (begin.resume === null ? learner.runFromStart() : learner.runFrom(begin.resume));
  trainStep.dispose();
}

class Learner {
  readonly #config: LearnerConfig;
  readonly #channel: LearnerChannel;
  readonly #lineId: LineId;
  readonly #trainStep: TrainStep;
  readonly #canonical: CanonicalModel;
  readonly #source: SampleSource;
  /** How the values of each tensor travel. */
  readonly #formats: readonly ValueFormat[];
  readonly #rate = new StepRate();
  #progressDueMs = 0;
  #checkpointDueMs = 0;

  constructor(
    config: LearnerConfig,
    channel: LearnerChannel,
    lineId: LineId,
    trainStep: TrainStep,
    canonical: CanonicalModel,
    source: SampleSource,
    formats: readonly ValueFormat[],
  ) {
    this.#config = config;
    this.#channel = channel;
    this.#lineId = lineId;
    this.#trainStep = trainStep;
    this.#canonical = canonical;
    this.#source = source;
    this.#formats = formats;
  }

  /** Initial training, version 1, then the stream. */
  async runFromStart(): Promise<void> {
    const { seed, initialCount, initialEpochs, batchCount } = this.#config;
    const options = {
      sampleCount: Math.min(initialCount, this.#source.initialCount),
      epochs: initialEpochs,
      batchCount,
    };
    const random = createRandom(seed);
    const planned = initialStepCount(options);
    const { name, better } = this.#trainStep.recipe.metric;
    const unread = readingsOf({ name, better, cumulative: null, windowed: null });
    await trainInitially(this.#trainStep, this.#source, options, random, async (done, { loss }) => {
      const note = { step: 0, samplesSeen: 0, loss, ...unread };
      await this.#report({ ...note, phase: 'initial', done, planned }, done === planned);
      return !this.#channel.stopped;
    });
    if (this.#channel.stopped) return;
    const stream = new StreamTraining(
      this.#trainStep,
      this.#source,
      this.#config,
      streamStart(options.sampleCount, random),
    );
    const weights = await this.#canonical.readWeights();
    const version = asWeightsVersion(1);
    const root = digestWeights(weights, this.#canonical.model.digest, version);
    await this.#channel.send({ type: 'initial', weights, root, note: stream.note() });
    if ((await this.#channel.next('published')) === null) return;
    await this.#follow(stream, weights, version);
  }

  /**
   * Goes on from the newest published version. A checkpoint of the same moment or later gives back the dense weights
   * with their residual, and the optimiser; one that the log has left behind only the optimiser, because training on
   * from older weights would take back what has been published since.
   * @throws STORE_CORRUPT when the checkpoint is damaged
   */
  async runFrom(resume: ResumePoint): Promise<void> {
    const { seed, checkpointPath } = this.#config;
    const checkpoint = readCheckpoint(checkpointPath);
    const isUsable =
      checkpoint?.lineId === this.#lineId && checkpoint.modelDigest === this.#canonical.model.digest;
    const isCurrent = isUsable && checkpoint.stream.step >= resume.step;
    await this.#canonical.writeWeights(isCurrent ? checkpoint.weights : resume.weights);
    if (isUsable) this.#trainStep.writeOptimizer(checkpoint.optimizer);
    const state = isUsable ? checkpoint.stream : streamStart(resume.samplesSeen, createRandom(seed));
    const { step, samplesSeen } = isCurrent ? state : resume;
    const stream = new StreamTraining(this.#trainStep, this.#source, this.#config, {
      ...state,
      step,
      samplesSeen,
    });
    await this.#follow(stream, resume.weights, resume.head.version);
  }

  /** Steps on the stream until `stop`, until the bounded run is over or until no sample is left. `shadow`: weights of version `head`. */
  async #follow(stream: StreamTraining, shadow: Float32Array, head: WeightsVersion): Promise<void> {
    const { density, publishEvery, stepsMax } = this.#config;
    const { model } = this.#canonical;
    const publisher = new ShadowPublisher(shadow, model, { density, formats: this.#formats });
    let version = head;
    let done = 0;
    this.#checkpointDueMs = performance.now() + this.#config.checkpointEveryMs;
    while (!this.#channel.stopped && done !== stepsMax && !stream.exhausted) {
      await stream.advance();
      done++;
      if (done % publishEvery === 0) version = await this.#publish(publisher, stream, version);
      await this.#report({ ...stream.note(), phase: 'stream', done, planned: stepsMax }, done === stepsMax);
      if (performance.now() >= this.#checkpointDueMs) await this.#checkpoint(stream);
    }
    await this.#checkpoint(stream);
    if (this.#channel.stopped) return;
    await this.#channel.send({ type: 'finished', test: await this.#test() });
    await this.#channel.untilStopped();
  }

  /** Null where no samples are held out. */
  async #test(): Promise<TestResult | null> {
    const { test } = this.#source;
    if (test === null) return null;
    const { name, better } = this.#trainStep.recipe.metric;
    return { name, better, value: await this.#trainStep.evaluate(test, 0, test.count) };
  }

  /** Publishes what has changed most, if anything has. Resolves with the newest version, durable in the log. */
  async #publish(
    publisher: ShadowPublisher,
    stream: StreamTraining,
    base: WeightsVersion,
  ): Promise<WeightsVersion> {
    const next = asWeightsVersion(base + 1);
    const { payload, changedCount, root } = publisher.publish(await this.#canonical.readWeights(), next);
    if (changedCount === 0) return base;
    await this.#channel.send({ type: 'publication', base, next, root, payload, note: stream.note() });
    await this.#channel.next('published');
    return next;
  }

  async #checkpoint(stream: StreamTraining): Promise<void> {
    writeCheckpoint(this.#config.checkpointPath, {
      lineId: this.#lineId,
      modelDigest: this.#canonical.model.digest,
      stream: stream.state(),
      weights: await this.#canonical.readWeights(),
      optimizer: await this.#trainStep.readOptimizer(),
    });
    this.#checkpointDueMs = performance.now() + this.#config.checkpointEveryMs;
  }

  /** Also lets messages in: the backends compute without ever yielding. */
  async #report(progress: Omit<LearnerProgress, 'stepsPerSecond'>, isLast: boolean): Promise<void> {
    const nowMs = performance.now();
    this.#rate.add(nowMs);
    await new Promise((resolve) => setImmediate(resolve));
    if (nowMs < this.#progressDueMs && !isLast) return;
    this.#progressDueMs = nowMs + PROGRESS_INTERVAL_MS;
    const stepsPerSecond = this.#rate.perSecond();
    await this.#channel.send({ type: 'progress', progress: { ...progress, stepsPerSecond } });
  }
}
