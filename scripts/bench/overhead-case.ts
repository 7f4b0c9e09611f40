/**
 * Steps with and without a publish, in turn: a round has some without, and for each density a publish and as many steps
 * after it, so that what a publish leaves behind (cold caches, garbage) counts with it. What else the machine does falls
 * on all alike, and medians leave the worst of it out.
 */
import type { ValueFormat } from '@freshet/protocol/payload/value-format';
import { medianOf } from './measure.ts';
import type { OverheadCase } from './overhead-report.ts';
import type { Subject } from './overhead-subject.ts';
import { type PublishTimes, TimedPublisher } from './timed-publisher.ts';

/** The first ones compile, allocate, and fill Adam's moments. */
const WARM_UP_ROUNDS = 2;
const ROUNDS_MIN = 5;
const ROUNDS_MAX = 200;

export interface CaseOptions {
  readonly densities: readonly number[];
  /** Of all tensors. */
  readonly format: ValueFormat;
  /** Steps for one publish. */
  readonly publishEvery: number;
  /** About how long all rounds of a model take together, beyond the first five. */
  readonly budgetMs: number;
}

interface Timed extends PublishTimes {
  /** Of the publish and the steps after it. */
  readonly wholeMs: number;
}

type Measured = Omit<OverheadCase, 'backend'>;

/** One case for each density. */
export async function measureOverhead(subject: Subject, options: CaseOptions): Promise<Measured[]> {
  const { densities, format, publishEvery, budgetMs } = options;
  const { canonical } = subject;
  const formats = canonical.model.tensors.map(() => format);
  const shadow = await canonical.readWeights();
  const publishers = densities.map((density) => new TimedPublisher(canonical, shadow, { density, formats }));
  const plainMs: number[] = [];
  const timed: Timed[][] = densities.map(() => []);
  const measureRound = async (isWarmUp: boolean): Promise<void> => {
    // The first step after a publish still counts with that.
    await subject.step();
    const plain = await stepsMs(subject, publishEvery);
    if (!isWarmUp) plainMs.push(plain);
    for (const [i, publisher] of publishers.entries()) {
      const times = await publisher.publish();
      const wholeMs = times.totalMs + (await stepsMs(subject, publishEvery));
      if (!isWarmUp) timed[i]!.push({ wholeMs, ...times });
    }
  };
  for (let round = 0; round < WARM_UP_ROUNDS; round++) await measureRound(true);
  const endMs = performance.now() + budgetMs;
  while (plainMs.length < ROUNDS_MIN || (plainMs.length < ROUNDS_MAX && performance.now() < endMs)) {
    await measureRound(false);
  }
  return densities.map((density, i) => summarise(subject, density, options, plainMs, timed[i]!));
}

async function stepsMs(subject: Subject, count: number): Promise<number> {
  const startMs = performance.now();
  for (let step = 0; step < count; step++) await subject.step();
  return performance.now() - startMs;
}

function summarise(
  { name, canonical, batchCount }: Subject,
  density: number,
  { format, publishEvery }: CaseOptions,
  plainMs: readonly number[],
  timed: readonly Timed[],
): Measured {
  const median = (timeOf: (times: Timed) => number) => medianOf(timed.map(timeOf));
  const plain = medianOf(plainMs);
  const sparsifyMs = median((each) => each.totalMs - each.encodeMs - each.digestMs);
  const encodeMs = median((each) => each.encodeMs);
  const digestMs = median((each) => each.digestMs);
  const last = timed.at(-1)!;
  return {
    model: name,
    elementCount: canonical.model.elementCount,
    batchCount,
    density,
    values: format,
    publishEvery,
    rounds: plainMs.length,
    stepMs: plain / publishEvery,
    readMs: median((each) => each.readMs),
    sparsifyMs,
    encodeMs,
    digestMs,
    changedCount: last.changedCount,
    payloadBytes: last.payloadBytes,
    overheadFactor: (plain + sparsifyMs + encodeMs) / plain,
    overheadFactorWithDigest: (plain + sparsifyMs + encodeMs + digestMs) / plain,
    clockFactor: median((each) => each.wholeMs) / plain,
  };
}
