/** Rounds on the stream, one after the other: trains, publishes, reports, writes checkpoints. */
import type { StreamTraining } from '../stream/stream-training.ts';
import type { LearnerChannel } from './ipc-channel.ts';
import type { LearnerConfig } from './messages.ts';
import type { ProgressReport } from './progress-report.ts';
import type { Versions } from './versions.ts';

/** How long to wait for samples before it is looked again. */
const SAMPLES_POLL_MS = 50;

/** Between two checkpoints whose only reason is that room is needed: else a small log would do little else than write them. */
const ROOM_PAUSE_MS = 1000;

/** The whole model: what a plan that publishes at its end only has to say is not sparse. */
const WHOLE = 1;

export interface StreamLoop {
  readonly config: LearnerConfig;
  readonly channel: LearnerChannel;
  readonly stream: StreamTraining;
  readonly versions: Versions;
  readonly report: ProgressReport;
  /** Steps on the stream that runs before this one have made: a bounded run makes its own after them. */
  readonly stepsBefore: number;
  /** Samples that have left history for which the log has room: once there are so many, a checkpoint lets them be forgotten. */
  readonly goneMax: number;
  /** Writes a checkpoint; only between two rounds. */
  readonly checkpoint: () => Promise<void>;
}

/** `finished`: the bounded run is over. `diverged`: from what an earlier run published. */
export type StreamEnd = 'finished' | 'stopped' | 'diverged';

export async function followStream(loop: StreamLoop): Promise<StreamEnd> {
  const { config, channel, stream } = loop;
  let writtenMs = performance.now();
  let hasChanged = false;
  /** Rounds without a step, which count as one: there is a bound to them all the same. */
  let restCount = 0;
  let done = doneOf(loop, restCount);
  while (done !== config.stepsMax && !channel.stopped) {
    if (await stream.begin(Date.now())) {
      if (!stream.isUnderWay) restCount++;
      const end = await runRound(loop, restCount);
      if (end !== null) return end;
      done = doneOf(loop, restCount);
      hasChanged = true;
    } else {
      await loop.report.rest();
      await channel.pause(SAMPLES_POLL_MS);
    }
    // While nothing arrives as well: only a checkpoint makes room for what is still to come.
    const pauseMs = stream.goneCount >= loop.goneMax ? ROOM_PAUSE_MS : config.checkpointEveryMs;
    if (!hasChanged || performance.now() < writtenMs + Math.min(pauseMs, config.checkpointEveryMs)) continue;
    await loop.checkpoint();
    hasChanged = false;
    writtenMs = performance.now();
  }
  await loop.checkpoint();
  return channel.stopped ? 'stopped' : 'finished';
}

/** Steps that count for this run; 0 while it only repeats what an earlier one did. */
function doneOf({ stream, stepsBefore }: StreamLoop, restCount: number): number {
  return Math.max(0, stream.note().step - stepsBefore) + restCount;
}

/** Null when the round is over; or how the run has ended within it, which will then be repeated. */
async function runRound(loop: StreamLoop, restCount: number): Promise<StreamEnd | null> {
  const { channel, stream, versions } = loop;
  const isWhole = stream.publishesAfterPlan;
  const hasSteps = stream.isUnderWay;
  if (!hasSteps) await reportOf(loop, restCount);
  while (stream.isUnderWay) {
    await stream.step();
    const note = stream.note();
    const outcome = isWhole ? 'nothing' : await versions.publishIfDue(note, Date.now());
    if (outcome === 'diverged' || outcome === 'stopped') return outcome;
    const isLast = await reportOf(loop, restCount);
    if (!stream.isUnderWay) break;
    if (channel.stopped) return 'stopped';
    if (isLast) return 'finished';
  }
  if (!isWhole || !hasSteps) return null;
  const outcome = await versions.publish(stream.note(), Date.now(), WHOLE);
  return outcome === 'diverged' || outcome === 'stopped' ? outcome : null;
}

/** Tells how far the run has come, which lets messages in as well; says whether this was the last step of a bounded one. */
async function reportOf(loop: StreamLoop, restCount: number): Promise<boolean> {
  const { config, stream, report } = loop;
  const done = doneOf(loop, restCount);
  const isLast = done === config.stepsMax;
  await report.step({ ...stream.note(), phase: 'stream', done, planned: config.stepsMax }, isLast);
  return isLast;
}
