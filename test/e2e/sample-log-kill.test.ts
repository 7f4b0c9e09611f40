/**
 * Both ends of one sample log work as fast as they can, and each is killed with SIGKILL again and again, at instants
 * drawn at random. Whatever they said was done is there afterwards, once, and the next process goes on from there.
 */
import { strict as assert } from 'node:assert';
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { it } from 'node:test';
import { createRandom } from '../../trainer/core/random.ts';
import { LearnerSampleLog } from '../../trainer/history/sample-log/learner-sample-log.ts';
import { SampleInbox } from '../../trainer/history/sample-log/sample-inbox.ts';
import { CHECKPOINT_EVERY, sampleAt } from '../support/sample-log-process.ts';
import { DIGITS, samplePath } from '../support/sample-logs.ts';
import { seed } from '../support/seed.ts';

const KILLS = 4;
const SAID_MIN = 5;
const SAID_MAX = 40;
const RESENT = 20;
const PROCESS = join(import.meta.dirname, '../support/sample-log-process.ts');
const OPTIONS = { format: DIGITS, clock: Date.now };

/** What a process of this role said until it was killed, which is `count` lines after its start, or a bit later. */
async function workAndDie(args: readonly string[], count: number, spins: number): Promise<string[]> {
  const child: ChildProcessByStdio<null, Readable, null> = spawn(process.execPath, [PROCESS, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const said: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    said.push(line);
    if (said.length !== count) continue;
    // The process is in the middle of something later by now; of what, depends on how long this takes.
    for (let spun = 0; spun < spins; spun++) Math.hypot(spun, spins);
    child.kill('SIGKILL');
  }
  assert.deepEqual(await exited, [null, 'SIGKILL'], `${args} ran until it was killed`);
  // The last line may have been cut short.
  return said.slice(0, -1);
}

/** The numbers in the lines that start with `word`. */
const numbersIn = (lines: readonly string[], word: string): number[][] =>
  lines.filter((line) => line.startsWith(`${word} `)).map((line) => line.split(' ').slice(1).map(Number));

it('what was said to be taken, recorded or forgotten survives kill -9', { timeout: 90_000 }, async (test) => {
  const path = samplePath(test);
  const random = createRandom(seed);
  const draw = () =>
    [SAID_MIN + random.integerBelow(SAID_MAX - SAID_MIN), random.integerBelow(1_000_000)] as const;
  let takenBefore = 0;
  for (let kill = 0; kill < KILLS; kill++) {
    // A few samples back, as one that has not heard the last answer.
    const first = Math.max(0, takenBefore - RESENT);
    const [inboxLines, learnerLines] = await Promise.all([
      workAndDie([path, 'inbox', String(first)], ...draw()),
      workAndDie([path, 'learner'], ...draw()),
    ]);
    const taken = numbersIn(inboxLines, 'taken').at(-1)![0]!;
    const steps = numbersIn(learnerLines, 'step');
    const floor = numbersIn(learnerLines, 'forgot').at(-1)?.[0] ?? 0;

    const log = LearnerSampleLog.open(path, OPTIONS);
    const state = log.state();
    const [lastStep, lastEnd] = steps.at(-1)!;
    assert.ok(state.step >= lastStep! && state.takenEnd >= lastEnd!);
    for (const [step, end] of steps) {
      const recorded = log.stepEnd(step!);
      // Those before the newest checkpoint are not kept.
      if (step! >= state.step - (state.step % CHECKPOINT_EVERY)) assert.equal(recorded, end);
      assert.ok(recorded === null || recorded === end);
    }
    const arrivals = log.arrivals(0, state.arrivalEnd);
    assert.equal(arrivals.length, state.sampleCount, 'the count is that of the rows');
    assert.ok(arrivals[0]! >= floor);
    // Nothing in between is missing, and every row is as it was stored.
    assert.equal(arrivals.length, state.arrivalEnd - arrivals[0]!);
    const sources = log
      .read(arrivals)
      .flatMap((sample) => ('sourceIndex' in sample ? sample.sourceIndex : []));
    for (const [i, source] of sources.entries()) assert.equal(source, sources[0]! + i);
    log.close();

    const inbox = SampleInbox.open(path, OPTIONS);
    const again = Array.from({ length: taken }, (_, n) => sampleAt(n));
    for (let n = first; n < taken; n += 100) {
      const outcome = inbox.append(again.slice(n, n + 100), 'http');
      assert(outcome.kind === 'taken');
      assert.equal(outcome.taken, 0, 'each sample that was said to be taken had been');
    }
    inbox.close();
    takenBefore = taken;
  }
  test.diagnostic(`killed ${KILLS} times each; ${takenBefore} samples were sent`);
});
