/** One run: a strategy on a stream, with replicas that follow it. Uses the trainer's own parts throughout. */
import { assert } from '@freshet/protocol/assert';
import type { WarmUp } from '@freshet/trainer/core/learning-rate';
import { createRandom, restoreRandom } from '@freshet/trainer/core/random';
import { createSampler } from '@freshet/trainer/core/samplers/create-sampler';
import type { HistorySampler } from '@freshet/trainer/core/samplers/history-sampler';
import { parseSampler } from '@freshet/trainer/core/samplers/sampler-option';
import { createStrategy, defaultTrigger } from '@freshet/trainer/core/strategies/create-strategy';
import { parseStrategy } from '@freshet/trainer/core/strategies/strategy-option';
import { createTrigger } from '@freshet/trainer/core/triggers/create-trigger';
import { parseTrigger } from '@freshet/trainer/core/triggers/trigger-option';
import { BatchBuffer } from '@freshet/trainer/learn/batch-buffer';
import { CanonicalModel } from '@freshet/trainer/learn/canonical-model';
import { MemoryStock } from '@freshet/trainer/learn/stream/memory-stock';
import { StreamTraining, streamStart } from '@freshet/trainer/learn/stream/stream-training';
import type { TrainStep } from '@freshet/trainer/learn/train-step';
import { Trace } from '../measures/trace.ts';
import { phaseAt, type Stream } from '../streams/stream.ts';
import { digitRecipe, samplesOfImages } from './digit-recipe.ts';
import { BATCH_COUNT, type InitialModel, LEARNING_RATE, openTrainStep } from './initial-model.ts';
import { type ReplicaCosts, ReplicaRun, type ReplicaSpec } from './replica.ts';

export interface CourseSpec {
  /** As tables and plots name it. */
  readonly name: string;
  /** As `--strategy`, `--trigger` and `--sampler` of `freshet start` take them. */
  readonly strategy: string;
  readonly trigger?: string;
  readonly sampler: string;
  /** t. */
  readonly freshCount: number;
  readonly warmUp: WarmUp;
  readonly resetOptimiser: boolean;
  /** At most one that is not `shadow`: it changes what is trained. */
  readonly replicas: readonly ReplicaSpec[];
}

export interface ReplicaResult extends ReplicaCosts {
  readonly name: string;
  readonly trace: Trace;
  /** Of each test set at the end. */
  readonly accuracies: readonly number[];
}

export interface CourseResult {
  readonly spec: CourseSpec;
  readonly seed: number;
  readonly trace: Trace;
  readonly steps: number;
  /** Training alone, without the initial one. */
  readonly trainMs: number;
  /**
   * [phase][test]: accuracies at the end of each phase. The last row is the end. A phase that is shorter than a round
   * ends with it, together with others.
   */
  readonly accuracies: readonly (readonly number[])[];
  /** Before the last round: of full retraining, what was deployed at the end of the stream. */
  readonly accuraciesBeforeLast: readonly number[];
  readonly replicas: readonly ReplicaResult[];
}

export async function runCourse(
  spec: CourseSpec,
  stream: Stream,
  seed: number,
  initial: InitialModel,
): Promise<CourseResult> {
  const trainStep = openTrainStep(seed);
  trainStep.writeWeights(initial.weights);
  if (!spec.resetOptimiser) trainStep.writeOptimizer(initial.optimizer);
  const course = await Course.open(spec, stream, seed, initial, trainStep);
  try {
    return await course.run();
  } finally {
    course.dispose();
  }
}

class Course {
  readonly #spec: CourseSpec;
  readonly #stream: Stream;
  readonly #seed: number;
  readonly #trainStep: TrainStep;
  readonly #canonical: CanonicalModel;
  readonly #training: StreamTraining;
  readonly #replicas: readonly ReplicaRun[];
  readonly #trace: Trace;
  readonly #batches: BatchBuffer;
  readonly #trained: Float32Array;
  #trainMs = 0;

  static async open(
    spec: CourseSpec,
    stream: Stream,
    seed: number,
    initial: InitialModel,
    trainStep: TrainStep,
  ): Promise<Course> {
    const canonical = await CanonicalModel.of(trainStep, digitRecipe.name);
    const weights = await canonical.readWeights();
    const traceOf = () => new Trace(stream.initialCount, stream.images.count);
    const replicas: ReplicaRun[] = [];
    for (const each of spec.replicas) {
      replicas.push(await ReplicaRun.open(each, canonical, weights, traceOf()));
    }
    return new Course(spec, stream, seed, initial, trainStep, canonical, replicas, traceOf());
  }

  private constructor(
    spec: CourseSpec,
    stream: Stream,
    seed: number,
    initial: InitialModel,
    trainStep: TrainStep,
    canonical: CanonicalModel,
    replicas: readonly ReplicaRun[],
    trace: Trace,
  ) {
    this.#spec = spec;
    this.#stream = stream;
    this.#seed = seed;
    this.#trainStep = trainStep;
    this.#canonical = canonical;
    this.#replicas = replicas;
    this.#trace = trace;
    this.#trained = new Float32Array(canonical.model.elementCount);
    const samples = samplesOfImages(stream.images);
    this.#batches = new BatchBuffer(digitRecipe, samples, 1000);
    const strategy = parseStrategy(spec.strategy);
    const options = { batchCount: BATCH_COUNT, freshCount: spec.freshCount };
    const trigger =
      spec.trigger === undefined ? defaultTrigger(strategy, options) : parseTrigger(spec.trigger);
    this.#training = new StreamTraining(
      {
        trainStep,
        stock: new MemoryStock(samples, digitRecipe, 1000),
        strategy: createStrategy(strategy, options),
        trigger: createTrigger(trigger, 0),
        sampler: samplerOver(spec.sampler, stream),
        schedule: { fullRate: LEARNING_RATE, warmUp: spec.warmUp },
        groupCount: spec.freshCount,
        waitingMax: Number.POSITIVE_INFINITY,
        onTested: (_, measures) => trace.add(measures.map((measure) => measure === 1)),
      },
      streamStart(1, stream.initialCount, restoreRandom(initial.random)),
    );
    const filters = replicas.flatMap(({ sparsifier }) => sparsifier.gradientFilter ?? []);
    assert(filters.length <= 1, 'one filter of gradients in a run');
    const [filter] = filters;
    if (filter !== undefined) {
      trainStep.setGradientTransform(canonical.filtering(filter, this.#training.random));
    }
  }

  async run(): Promise<CourseResult> {
    const accuracies: number[][] = [];
    let accuraciesBeforeLast: number[] = [];
    const { phases, initialCount } = this.#stream;
    for (let position = initialCount; ; ) {
      const over = phaseAt(this.#stream, position) - accuracies.length;
      if (over > 0) accuracies.push(...rows(await this.#test(), over));
      if (this.#training.publishesAfterPlan) accuraciesBeforeLast = await this.#test();
      if (!(await this.#timed(() => this.#training.begin(0)))) break;
      await this.#round();
      position = this.#training.state().position;
    }
    accuracies.push(...rows(await this.#test(), phases.length - accuracies.length));
    return {
      spec: this.#spec,
      seed: this.#seed,
      trace: this.#trace,
      steps: this.#training.note().step,
      trainMs: this.#trainMs,
      accuracies,
      accuraciesBeforeLast,
      replicas: await Promise.all(this.#replicas.map((replica) => this.#resultOf(replica))),
    };
  }

  dispose(): void {
    this.#trainStep.dispose();
    for (const replica of this.#replicas) replica.dispose();
  }

  async #round(): Promise<void> {
    const isWhole = this.#training.publishesAfterPlan;
    while (this.#training.isUnderWay) {
      await this.#timed(() => this.#training.step());
      if (!isWhole) await this.#publish();
    }
    if (isWhole) await this.#publish(1);
  }

  /** What has been tested by the trainer since is predicted by the replicas first, with what they had until now. */
  async #publish(density?: number): Promise<void> {
    if (this.#replicas.length === 0) return;
    const first = this.#replicas[0]!.trace.end;
    const fresh = Uint32Array.from({ length: this.#trace.end - first }, (_, i) => first + i);
    const batch = fresh.length === 0 ? null : this.#batches.fill(fresh);
    const trained = await this.#canonical.readWeights(this.#trained);
    for (const replica of this.#replicas) {
      if (batch !== null) await replica.predict(batch);
      await replica.update(trained, density);
    }
  }

  /** Accuracy of the trainer on each test set. */
  async #test(): Promise<number[]> {
    const accuracies: number[] = [];
    for (const { images } of this.#stream.tests) {
      accuracies.push(await this.#trainStep.evaluate(samplesOfImages(images), 0, images.count));
    }
    return accuracies;
  }

  async #resultOf(replica: ReplicaRun): Promise<ReplicaResult> {
    const accuracies: number[] = [];
    for (const { images } of this.#stream.tests) {
      accuracies.push(await replica.accuracy(samplesOfImages(images)));
    }
    return { ...replica.costs, name: replica.spec.name, trace: replica.trace, accuracies };
  }

  async #timed<Result>(action: () => Promise<Result>): Promise<Result> {
    const startMs = performance.now();
    const result = await action();
    this.#trainMs += performance.now() - startMs;
    return result;
  }
}

/** One measurement for several phases. */
function rows(measured: number[], count: number): number[][] {
  return Array.from({ length: count }, () => measured);
}

/** A sampler that has been told of all images that are there before the stream. */
function samplerOver(text: string, stream: Stream): HistorySampler {
  const sampler = createSampler(parseSampler(text));
  const random = createRandom(0);
  for (let index = 0; index < stream.initialCount; index++) {
    sampler.add(index, stream.images.label(index), random);
  }
  return sampler;
}
