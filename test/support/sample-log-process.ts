/**
 * A process at one end of a sample log: `node sample-log-process.ts PATH ROLE [FIRST]`. What it has done, it says synchronously,
 * one line for each, so that whoever kills it knows what must be on disk.
 *
 *   inbox    appends batches of samples with ids without end, from the one numbered FIRST on; says "taken N" when all
 *            below N are taken
 *   learner  takes what is there step by step, checkpoints now and then and forgets; says "step STEP END"
 *   open     opens both ends at once with others, and says "open"
 *   hold     keeps a write transaction open until its stdin ends; says "held"
 */
import { writeSync } from 'node:fs';
import Database from 'better-sqlite3';
import { LearnerSampleLog } from '../../trainer/history/sample-log/learner-sample-log.ts';
import { SampleInbox } from '../../trainer/history/sample-log/sample-inbox.ts';
import { DIGITS, digit } from './sample-logs.ts';

const BATCH_COUNT = 7;
const HISTORY_COUNT = 200;
export const CHECKPOINT_EVERY = 5;

const OPTIONS = { format: DIGITS, clock: Date.now };

const say = (line: string): void => void writeSync(1, `${line}\n`);

/** The inbox's nth sample is the same in each of its lives. */
export const sampleAt = (n: number) => digit(n % 65_536, `sample ${n}`);

function fill(path: string, first: number): void {
  const limits = { historyMax: 1e6, waitingMax: 1000, bytesMax: 2 ** 30 };
  const inbox = SampleInbox.open(path, { ...OPTIONS, limits });
  for (let next = first; ; ) {
    const batch = Array.from({ length: BATCH_COUNT }, (_, i) => sampleAt(next + i));
    if (inbox.append(batch, 'http').kind === 'taken') {
      next += BATCH_COUNT;
      say(`taken ${next}`);
    }
  }
}

function learn(path: string): void {
  const log = LearnerSampleLog.open(path, OPTIONS);
  for (;;) {
    const { step, arrivalEnd } = log.state();
    log.appendFromSource(0, step + 1);
    const next = step + 1;
    log.takeStep(next, log.stepEnd(next) ?? arrivalEnd);
    say(`step ${next} ${log.stepEnd(next)}`);
    if (next % CHECKPOINT_EVERY !== 0) continue;
    log.flush();
    const kept = log.arrivals(0, arrivalEnd).slice(-HISTORY_COUNT);
    log.checkpointed(next, 0, [...log.arrivals(0, kept[0] ?? 0)]);
    say(`forgot ${kept[0] ?? 0}`);
  }
}

function openBoth(path: string): void {
  SampleInbox.open(path, OPTIONS).close();
  LearnerSampleLog.open(path, OPTIONS).close();
  say('open');
}

function hold(path: string): void {
  const handle = new Database(path);
  handle.exec('BEGIN IMMEDIATE');
  say('held');
  process.stdin.resume().on('end', () => {
    // Named here, so that it is not collected, and with it the lock, before.
    handle.close();
    process.exit(0);
  });
}

const ROLES: Readonly<Record<string, (path: string, first: number) => void>> = {
  inbox: fill,
  learner: learn,
  open: openBoth,
  hold,
};

const [script, path, role, first = '0'] = process.argv.slice(1);
if (script === import.meta.filename && path !== undefined) ROLES[role ?? '']!(path, Number(first));
