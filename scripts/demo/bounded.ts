/** The demo with an end: so many steps, a roll-back half-way, and a summary. */
import { assert } from '@freshet/protocol/assert';
import { EXIT } from '@freshet/protocol/errors';
import { print } from '@freshet/protocol/local/command';
import { countOf, formatBytes } from '@freshet/protocol/local/format';
import { untilAskedToEnd } from '@freshet/protocol/local/shutdown';
import { learnerFailure } from '@freshet/trainer/service/learner-failure';
import type { LearnerStatus } from '@freshet/trainer/service/learner-process';
import { HeldOutDigits } from './digits.ts';
import type { Fleet } from './fleet.ts';
import { exerciseRollback, type RollbackExercise } from './rollback-exercise.ts';
import { createScreen, type Screen, type View } from './screen.ts';
import { Watch } from './watch.ts';

export interface DemoSummary {
  readonly backend: string;
  readonly steps: number;
  readonly versions: number;
  readonly agents: readonly {
    readonly name: string;
    readonly head: number;
    readonly served: number;
    /** The root of what it serves, as it reports it, is the trainer's. */
    readonly rootMatches: boolean;
    readonly testAccuracy: number;
    /** Read from its socket, WebSocket framing and first snapshot included. */
    readonly bytesReceived: number;
  }[];
  readonly trainerTestAccuracy: number;
  /** One complete ONNX file. */
  readonly fullModelBytes: number;
  /** What sending that file for each version that an agent received would have cost, less what was received. */
  readonly bytesSaved: number;
  readonly reductionFactor: number;
  readonly rollback: RollbackExercise | null;
}

export async function runBounded(fleet: Fleet, options: { steps: number; json?: true }): Promise<void> {
  const screen = createScreen();
  const asked = untilAskedToEnd().then(() => null);
  try {
    const summary = await Promise.race([runToTheEnd(fleet, screen, options.steps), asked]);
    screen.end();
    if (summary === null) {
      process.stderr.write('stopping before the end\n');
      process.exitCode = EXIT.failed;
      return;
    }
    print(options, summary, () => describeSummary(summary));
  } finally {
    screen.end();
    await fleet.stop();
  }
}

async function runToTheEnd(fleet: Fleet, screen: Screen, steps: number): Promise<DemoSummary> {
  await fleet.start();
  const watch = new Watch(fleet, screen);
  await watch.until((view) => isHalfWay(view, steps));
  const [first] = fleet.agents;
  const rollback = first === undefined ? null : await exerciseRollback(fleet, first);
  const last = await watch.until(isDone);
  return summarise(fleet, last, rollback);
}

/** Half the steps are done, and every agent serves. @throws the failure of a learner that has ended */
function isHalfWay({ trainer, agents }: View, steps: number): boolean {
  failWithLearner(trainer.learner);
  const { state, progress } = trainer.learner;
  const isFar = state === 'finished' || (progress?.phase === 'stream' && progress.done >= steps / 2);
  return isFar && agents.every(({ status }) => status.served !== null);
}

/** The steps are done, and every agent serves what came out. @throws the failure of a learner that has ended */
function isDone({ trainer, agents }: View): boolean {
  failWithLearner(trainer.learner);
  if (trainer.learner.state !== 'finished') return false;
  return agents.every(({ status }) => status.served?.version === trainer.head?.version);
}

function failWithLearner(learner: LearnerStatus): void {
  const failure = learnerFailure(learner);
  if (failure !== null) throw failure;
}

async function summarise(
  fleet: Fleet,
  { trainer, agents }: View,
  rollback: RollbackExercise | null,
): Promise<DemoSummary> {
  const { head, learner, modelId, fullModelBytes } = trainer;
  assert(head !== null && modelId !== null && fullModelBytes !== null, 'a finished trainer has published');
  const digits = new HeldOutDigits();
  const rows = agents.map(async ({ name, url, status }) => ({
    name,
    head: status.head?.version ?? 0,
    served: status.served?.version ?? 0,
    rootMatches: status.served?.root === head.root,
    testAccuracy: await fleet.orDeath(digits.accuracyOf(url, modelId)),
    bytesReceived: status.process?.bytesReceived ?? 0,
  }));
  const summaries = await Promise.all(rows);
  const bytesReceived = summaries.reduce((sum, agent) => sum + agent.bytesReceived, 0);
  const versionsReceived = agents.reduce(
    (sum, { status }) => sum + (status.process?.versionsReceived ?? 0),
    0,
  );
  const bytesInFull = versionsReceived * fullModelBytes;
  return {
    backend: learner.backend ?? '',
    steps: learner.progress?.done ?? 0,
    versions: head.version,
    agents: summaries,
    trainerTestAccuracy: learner.testAccuracy ?? 0,
    fullModelBytes,
    bytesSaved: bytesInFull - bytesReceived,
    reductionFactor: bytesInFull / bytesReceived,
    rollback,
  };
}

function describeSummary(summary: DemoSummary): string {
  const { rollback } = summary;
  const lines = [
    `${countOf(summary.steps, 'step')} on ${summary.backend}, ${countOf(summary.versions, 'version')}, the trainer's test accuracy ${summary.trainerTestAccuracy}`,
    ...summary.agents.map(
      ({ name, served, rootMatches, testAccuracy, bytesReceived }) =>
        `${name}: serves ${served}, ${rootMatches ? 'bit-identical to' : 'NOT the weights of'} the trainer's, ` +
        `test accuracy ${testAccuracy}, received ${formatBytes(bytesReceived)}`,
    ),
    `saved ${formatBytes(summary.bytesSaved)} against sending the model in full: ${summary.reductionFactor.toFixed(1)} times fewer bytes`,
  ];
  if (rollback !== null) {
    const proof = rollback.bitIdentical ? 'bit-identical both ways' : 'NOT bit-identical';
    lines.push(
      `${rollback.agent} went back from ${rollback.from} to ${rollback.to} and forward to ${rollback.forwardTo}: ${proof}`,
    );
  }
  return lines.join('\n');
}
