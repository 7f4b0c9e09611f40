/**
 * The bench of the sample log: what it costs to take samples in, to draw a batch from a long history, to record a step
 * and to forget, on a log of its own that is filled the way a trainer fills it.
 */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { assert } from '@freshet/protocol/assert';
import type { IncomingSample, SampleFormat } from '@freshet/protocol/sample-format';
import { createRandom, type Random } from '@freshet/trainer/core/random';
import { distinctIntegers } from '@freshet/trainer/core/samplers/distinct-integers';
import { LearnerSampleLog } from '@freshet/trainer/history/sample-log/learner-sample-log';
import { payloadBytes } from '@freshet/trainer/history/sample-log/sample';
import { SampleInbox } from '@freshet/trainer/history/sample-log/sample-inbox';
import type { HistoryReport, HistoryTimes } from './history-report.ts';
import { describeMachine } from './machine.ts';
import { medianMs } from './measure.ts';

export interface HistoryOptions {
  /** Samples of the history. */
  readonly sampleCount: number;
  /** Samples of a batch. */
  readonly batchCount: number;
  readonly seed: number;
  /** About how long each time is measured. */
  readonly budgetMs: number;
  /** Where the log is made; removed afterwards. */
  readonly directory: string;
}

/** Takes one line for a person on what is going on. */
export type Note = (line: string) => void;

/** MNIST's digits: the recipe that comes with Freshet. */
const FORMAT: SampleFormat = {
  inputShape: [28, 28, 1],
  inputType: 'uint8',
  target: { kind: 'class', classCount: 10 },
};

const REQUEST_COUNT = 1000;
const FORGET_COUNT = 1000;
const FORGETTINGS_MAX = 20;
const DRAWS_FOR_P99 = 300;

/** The bound is on a batch of 120 from a million. */
const SAMPLE_MS_MAX = 5;
const TARGET_SAMPLES = 1_000_000;
const TARGET_BATCH = 120;

export function benchHistory(options: HistoryOptions, note: Note): HistoryReport {
  const { sampleCount, batchCount, seed } = options;
  const directory = mkdtempSync(join(options.directory, 'freshet-bench-'));
  try {
    const times = measure(join(directory, 'samples.sqlite'), options, note);
    const isTargets = sampleCount >= TARGET_SAMPLES && batchCount >= TARGET_BATCH;
    return {
      bench: 'history',
      seed,
      machine: describeMachine(),
      sampleCount,
      batchCount,
      payloadBytes: payloadBytes(FORMAT),
      ...times,
      target: { sampleMsMax: SAMPLE_MS_MAX, met: isTargets ? times.sampleMs < SAMPLE_MS_MAX : null },
    };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function measure(path: string, options: HistoryOptions, note: Note): HistoryTimes {
  note(`filling a log with ${options.sampleCount} samples`);
  const appendsPerSecond = fill(path, options);
  // Both ends have closed it, so that everything is in this one file.
  const fileBytesPerSample = statSync(path).size / options.sampleCount;
  const log = LearnerSampleLog.open(path, { format: FORMAT, clock: Date.now });
  try {
    return { appendsPerSecond, fileBytesPerSample, ...measureLearner(log, options, note) };
  } finally {
    log.close();
  }
}

function measureLearner(
  log: LearnerSampleLog,
  { sampleCount, batchCount, seed, budgetMs }: HistoryOptions,
  note: Note,
): Omit<HistoryTimes, 'appendsPerSecond' | 'fileBytesPerSample'> {
  note(`drawing ${batchCount} of them again and again`);
  const random = createRandom(seed);
  const draw = () => Uint32Array.from(distinctIntegers(sampleCount, batchCount, random));
  const drawAndRead = () => assert(log.read(draw()).length === batchCount, 'a batch is whole');
  const sampleMs = medianMs({ run: drawAndRead }, budgetMs);
  const sampleMsP99 = p99Of(drawAndRead);
  const drawMs = medianMs({ run: draw }, budgetMs);
  const takeStepMs = medianMs({ run: () => log.takeStep(log.state().step + 1, sampleCount) }, budgetMs);
  note('forgetting some');
  return {
    sampleMs,
    sampleMsP99,
    drawMs,
    takeStepMs,
    forgetThousandMs: measureForgetting(log, sampleCount, random),
  };
}

/** Requests of a thousand, each on disk before the next, with a step after each. Samples taken per second of requests. */
function fill(path: string, { sampleCount, seed }: HistoryOptions): number {
  const limits = { historyMax: sampleCount, waitingMax: REQUEST_COUNT, bytesMax: Number.MAX_SAFE_INTEGER };
  const inbox = SampleInbox.open(path, { format: FORMAT, clock: Date.now, limits });
  const log = LearnerSampleLog.open(path, { format: FORMAT, clock: Date.now });
  const random = createRandom(seed);
  let requestsMs = 0;
  try {
    for (let first = 0; first < sampleCount; first += REQUEST_COUNT) {
      const count = Math.min(REQUEST_COUNT, sampleCount - first);
      const samples = Array.from({ length: count }, (_, i) => drawSample(first + i, random));
      const startMs = performance.now();
      const outcome = inbox.append(samples, 'http');
      requestsMs += performance.now() - startMs;
      assert(outcome.kind === 'taken' && outcome.taken === count, 'the log has room');
      log.takeStep(log.state().step + 1, first + count);
    }
  } finally {
    inbox.close();
    log.close();
  }
  return (1000 * sampleCount) / requestsMs;
}

function drawSample(n: number, random: Random): IncomingSample {
  const input = new Uint8Array(payloadBytes(FORMAT) - Int32Array.BYTES_PER_ELEMENT);
  new DataView(input.buffer).setUint32(0, random.integerBelow(2 ** 32));
  return { id: `sample ${n}`, input, target: n % 10 };
}

/** 99 of a hundred runs take at most so long. */
function p99Of(run: () => void): number {
  const durationsMs = Array.from({ length: DRAWS_FOR_P99 }, () => {
    const startMs = performance.now();
    run();
    return performance.now() - startMs;
  }).sort((left, right) => left - right);
  return durationsMs[Math.ceil(0.99 * DRAWS_FOR_P99) - 1]!;
}

/** Median, of a thousand samples anywhere at a time. */
function measureForgetting(log: LearnerSampleLog, sampleCount: number, random: Random): number {
  const { step } = log.state();
  const count = Math.min(FORGET_COUNT, Math.floor(sampleCount / 2));
  const forgettings = Math.min(FORGETTINGS_MAX, Math.floor(sampleCount / 2 / count));
  const order = Uint32Array.from(distinctIntegers(sampleCount, count * forgettings, random));
  const durationsMs = Array.from({ length: forgettings }, (_, i) => {
    const gone = [...order.subarray(i * count, (i + 1) * count)];
    const startMs = performance.now();
    log.checkpointed(step, 0, gone);
    return performance.now() - startMs;
  }).sort((left, right) => left - right);
  return (durationsMs[durationsMs.length >> 1]! * FORGET_COUNT) / count;
}
