/**
 * Steps with and without a publish after them, in turn: in each round one without, and one with for each density. What
 * else the machine does falls on all alike, and medians leave the worst of it out.
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
  /** About how long all rounds of a model take together, beyond the first five. */
  readonly budgetMs: number;
}

interface Timed extends PublishTimes {
  readonly stepMs: number;
}

type Measured = Omit<OverheadCase, 'backend'>;

/** One case for each density. */
export async function measureOverhead(subject: Subject, options: CaseOptions): Promise<Measured[]> {
  const { densities, format, budgetMs } = options;
  const { canonical } = subject;
  const formats = canonical.model.tensors.map(() => format);
  const shadow = await canonical.readWeights();
  const publishers = densities.map((density) => new TimedPublisher(canonical, shadow, { density, formats }));
  const plainMs: number[] = [];
  const timed: Timed[][] = densities.map(() => []);
  for (let round = 0; round < WARM_UP_ROUNDS; round++) {
    await subject.step();
    for (const publisher of publishers) await publisher.publish();
  }
  const endMs = performance.now() + budgetMs;
  while (plainMs.length < ROUNDS_MIN || (plainMs.length < ROUNDS_MAX && performance.now() < endMs)) {
    plainMs.push(await stepMs(subject));
    for (const [i, publisher] of publishers.entries()) {
      const ms = await stepMs(subject);
      timed[i]!.push({ stepMs: ms, ...(await publisher.publish()) });
    }
  }
  return densities.map((density, i) => summarise(subject, density, format, plainMs, timed[i]!));
}

async function stepMs(subject: Subject): Promise<number> {
  const startMs = performance.now();
  await subject.step();
  return performance.now() - startMs;
}

function summarise(
  { name, canonical, batchCount }: Subject,
  density: number,
  format: ValueFormat,
  plainMs: readonly number[],
  timed: readonly Timed[],
): Measured {
  const median = (timeOf: (times: Timed) => number) => medianOf(timed.map(timeOf));
  const plain = medianOf(plainMs);
  const last = timed.at(-1)!;
  return {
    model: name,
    elementCount: canonical.model.elementCount,
    batchCount,
    density,
    values: format,
    rounds: plainMs.length,
    stepMs: plain,
    readMs: median((each) => each.readMs),
    sparsifyMs: median((each) => each.totalMs - each.encodeMs - each.digestMs),
    encodeMs: median((each) => each.encodeMs),
    digestMs: median((each) => each.digestMs),
    changedCount: last.changedCount,
    payloadBytes: last.payloadBytes,
    overheadFactor: median((each) => each.stepMs + each.totalMs - each.digestMs) / plain,
    overheadFactorWithDigest: median((each) => each.stepMs + each.totalMs) / plain,
  };
}
