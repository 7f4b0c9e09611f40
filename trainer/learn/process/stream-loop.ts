/** Rounds on the stream, one after the other: trains, publishes, reports, writes checkpoints. */
import type { StreamTraining } from '../stream/stream-training.ts';
import type { LearnerChannel } from './ipc-channel.ts';
import type { LearnerConfig } from './messages.ts';
import type { ProgressReport } from './progress-report.ts';
import type { Versions } from './versions.ts';

/** How long to wait for samples before it is looked again. */
const SAMPLES_POLL_MS = 50;

/** The whole model: what a plan that publishes at its end only has to say is not sparse. */
const WHOLE = 1;

export interface StreamLoop {
  readonly config: LearnerConfig;
  readonly channel: LearnerChannel;
  readonly stream: StreamTraining;
  readonly versions: Versions;
  readonly report: ProgressReport;
  /** Writes a checkpoint; only between two rounds. */
  readonly checkpoint: () => Promise<void>;
}

/** `finished`: the bounded run is over. `diverged`: from what an earlier run published. */
export type StreamEnd = 'finished' | 'stopped' | 'diverged';

export async function followStream(loop: StreamLoop): Promise<StreamEnd> {
  const { config, channel, stream } = loop;
  let checkpointDueMs = performance.now() + config.checkpointEveryMs;
  let hasChanged = false;
  let done = 0;
  while (done !== config.stepsMax && !channel.stopped) {
    if (await stream.begin(Date.now())) {
      const round = await runRound(loop, done);
      if (typeof round === 'string') return round;
      done = round;
      hasChanged = true;
    } else {
      await channel.pause(SAMPLES_POLL_MS);
    }
    // While nothing arrives as well: only a checkpoint makes room for what is still to come.
    if (!hasChanged || performance.now() < checkpointDueMs) continue;
    await loop.checkpoint();
    hasChanged = false;
    checkpointDueMs = performance.now() + config.checkpointEveryMs;
  }
  await loop.checkpoint();
  return channel.stopped ? 'stopped' : 'finished';
}

/** The steps done so far, or how the run has ended within the round, which will then be repeated. */
async function runRound(loop: StreamLoop, doneBefore: number): Promise<number | StreamEnd> {
  const { config, channel, stream, versions, report } = loop;
  const isWhole = stream.publishesAfterPlan;
  let done = doneBefore;
  while (stream.isUnderWay) {
    await stream.step();
    done++;
    const note = stream.note();
    const outcome = isWhole ? 'nothing' : await versions.publishIfDue(note, Date.now());
    if (outcome === 'diverged' || outcome === 'stopped') return outcome;
    await report.step({ ...note, phase: 'stream', done, planned: config.stepsMax }, done === config.stepsMax);
    if (stream.isUnderWay && (channel.stopped || done === config.stepsMax))
      return channel.stopped ? 'stopped' : 'finished';
  }
  // A round without a step counts as one: there is a bound to it all the same.
  if (done === doneBefore) return done + 1;
  if (!isWhole) return done;
  const outcome = await versions.publish(stream.note(), Date.now(), WHOLE);
  return outcome === 'diverged' || outcome === 'stopped' ? outcome : done;
}
