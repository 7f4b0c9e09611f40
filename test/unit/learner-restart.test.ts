/** What a learner goes on to after a death, or with other options: in this process, with the files of a real one. */
import { strict as assert } from 'node:assert';
import { rmSync } from 'node:fs';
import { describe, it } from 'node:test';
import { parsePublishEvery } from '@freshet/trainer/core/publish-policy/publish-every';
import { parseSampler } from '@freshet/trainer/core/samplers/sampler-option';
import { parseStrategy } from '@freshet/trainer/core/strategies/strategy-option';
import { parseTrigger } from '@freshet/trainer/core/triggers/trigger-option';
import { LearnerSampleLog } from '@freshet/trainer/history/sample-log/learner-sample-log';
import { SAMPLE_LIMITS_DEFAULT } from '@freshet/trainer/history/sample-log/sample-capacity';
import { SampleInbox } from '@freshet/trainer/history/sample-log/sample-inbox';
import type { LearnerConfig } from '@freshet/trainer/learn/process/messages';
import { die, LearnerRuns } from '../support/learner-run.ts';
import { freshetError } from '../support/serving.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

/** Never, while a test runs. */
const NEVER = 1e9;

describe('a learner that dies at its worst moments', () => {
  const variants: Readonly<Record<string, Partial<LearnerConfig>>> = {
    'full retraining, within a round': {
      strategy: parseStrategy('full-retrain:warm:2'),
      trigger: parseTrigger('samples:16'),
      sampler: parseSampler('reservoir:15'),
    },
    'full retraining from scratch': {
      strategy: parseStrategy('full-retrain:scratch:1'),
      trigger: parseTrigger('samples:16'),
    },
    'the paper’s sparsifier': { sparsifier: 'gradient', sampler: parseSampler('class-balanced:12') },
  };
  for (const [name, config] of Object.entries(variants)) {
    it(`publishes the same versions (${name})`, async (test) => {
      const last = 9;
      const whole = await new LearnerRuns(temporaryDirectory(test)).run({ config, lastVersion: last });
      const runs = new LearnerRuns(temporaryDirectory(test));
      // A checkpoint after each round: deaths in between them come into reach.
      const often = { ...config, checkpointEveryMs: 0 };
      const isVersion = (version: number) => (message: { type: string; next?: number }) =>
        message.type === 'publication' && message.next === version;
      for (const options of [{ diesBefore: isVersion(3) }, { diesAfter: isVersion(5) }]) {
        const outcome = await runs.run({ config: often, ...options });
        assert.deepEqual([outcome.ended, outcome.diverged], ['died', []]);
      }
      // Before the file of a checkpoint, and after it.
      for (const method of ['flush', 'checkpointed'] as const) {
        const dying = test.mock.method(LearnerSampleLog.prototype, method, die);
        const outcome = await runs.run({ config: often });
        dying.mock.restore();
        assert.deepEqual([outcome.ended, outcome.diverged], ['died', []]);
      }
      const { roots, diverged } = await runs.run({ config: often, lastVersion: last });
      assert.deepEqual([roots.slice(0, last), diverged], [whole.roots.slice(0, last), []]);
    });
  }
});

it('a new line is not held up by what was on record of the versions of another', async (test) => {
  const runs = new LearnerRuns(temporaryDirectory(test));
  const config = { checkpointEveryMs: NEVER };
  await runs.run({ config: { ...config, stepsMax: 6 } });
  await runs.run({ config, diesAfter: (message) => message.type === 'publication' && message.next === 9 });
  rmSync(runs.versionsPath);
  // More steps between two versions: the step on record of version 5 is over by the time that it is its turn.
  const { roots, ended } = await runs.run({
    config: { ...config, publish: parsePublishEvery('3') },
    lastVersion: 12,
    stopsWhen: (message) => message?.type === 'progress' && message.progress.step > 60,
  });
  assert.deepEqual([roots.length, ended], [12, 'stopped']);
});

it('a bounded run makes all its steps, also after steps that no version came of', async (test) => {
  const runs = new LearnerRuns(temporaryDirectory(test));
  const publish = parsePublishEvery('5');
  await runs.run({ config: { publish, stepsMax: 8 } });
  const { progress, ended } = await runs.run({
    config: { publish, stepsMax: 2 },
    stopsWhen: (message) => message?.type === 'progress' && message.progress.step > 20,
  });
  assert.deepEqual([ended, progress.at(-1)?.step], ['finished', 10]);
});

it('a checkpoint never builds on samples that another sampler has let go', async (test) => {
  const runs = new LearnerRuns(temporaryDirectory(test));
  await runs.run({ config: { stepsMax: 10 } });
  // Dies before it writes a checkpoint of its own accord, but after it has forgotten most of history.
  const narrow = { sampler: parseSampler('window:5'), checkpointEveryMs: NEVER };
  const died = await runs.run({ config: narrow, diesBefore: (message) => message.type === 'publication' });
  assert.equal(died.ended, 'died');
  const { ended, diverged } = await runs.run({ config: { stepsMax: 4 } });
  assert.deepEqual([ended, diverged], ['finished', []]);
});

it('what goes on from the newest version, for want of a checkpoint, is repeated as well', async (test) => {
  const config = { checkpointEveryMs: NEVER };
  const histories = [];
  for (const dies of [false, true]) {
    const runs = new LearnerRuns(temporaryDirectory(test));
    await runs.run({ config: { ...config, stepsMax: 6 } });
    rmSync(runs.checkpointPath);
    if (dies) await runs.run({ config, diesAfter: (m) => m.type === 'publication' && m.next === 7 });
    const { roots, diverged } = await runs.run({ config, lastVersion: 10 });
    assert.deepEqual(diverged, []);
    histories.push(roots.slice(0, 10));
  }
  assert.deepEqual(histories[1], histories[0]);
});

describe('a frozen model', () => {
  it('tells how good it is, and lets itself be stopped although samples never end', async (test) => {
    const runs = new LearnerRuns(temporaryDirectory(test), 'endless');
    let turns = 0;
    const { progress, ended } = await runs.run({
      config: { strategy: parseStrategy('frozen') },
      // Comes from outside of the loop, as a message of the trainer does.
      stopsWhen: () => {
        setImmediate(() => turns++);
        return turns > 2;
      },
    });
    const last = progress.at(-1);
    assert.deepEqual([ended, last?.phase], ['stopped', 'stream']);
    assert.ok(last?.metric.cumulative !== null && last?.metric.cumulative !== undefined);
  });
});

it('retraining on many samples tests them in batches that its buffer holds', async (test) => {
  const runs = new LearnerRuns(temporaryDirectory(test));
  const config = { strategy: parseStrategy('full-retrain:warm:1'), trigger: parseTrigger('samples:600') };
  const { ended } = await runs.run({ config: { ...config, stepsMax: 2 } });
  assert.equal(ended, 'finished');
});

it('room for more samples is made long before the next checkpoint is due', async (test) => {
  const runs = new LearnerRuns(temporaryDirectory(test), 'none');
  const sampleLimits = { ...SAMPLE_LIMITS_DEFAULT, historyMax: 10, waitingMax: 10 };
  let inbox: SampleInbox | null = null;
  test.after(() => inbox?.close());
  let sent = 0;
  const counts: number[] = [];
  const { ended } = await runs.run({
    config: { sampleLimits, checkpointEveryMs: NEVER },
    onModel(format) {
      inbox = SampleInbox.open(runs.samplesPath, { format, clock: Date.now, limits: sampleLimits });
    },
    stopsWhen() {
      const input = Float32Array.of(Math.sin(sent), Math.cos(sent), 1, 0);
      const outcome = inbox?.append([{ id: null, input, target: sent % 2 }], 'http');
      if (outcome?.kind === 'taken') sent++;
      counts.push(inbox?.sampleCount ?? 0);
      return sent > 70;
    },
  });
  assert.equal(ended, 'stopped');
  assert.equal(Math.max(...counts), inbox!.capacity.samplesMax);
});

it('a trigger that no number of samples from elsewhere can set off is refused', async (test) => {
  const runs = new LearnerRuns(temporaryDirectory(test), 'none');
  const limits = { ...SAMPLE_LIMITS_DEFAULT, waitingMax: 7 };
  for (const trigger of ['samples:8', 'drift:adwin:9:2']) {
    const config = { trigger: parseTrigger(trigger), sampleLimits: limits };
    await assert.rejects(runs.run({ config }), freshetError('CONFIG_INVALID', /no more than 7 are let wait/));
  }
});

it('a recipe that has lost its samples is told so', async (test) => {
  const directory = temporaryDirectory(test);
  await new LearnerRuns(directory).run({ config: { stepsMax: 3 } });
  const lost = new LearnerRuns(`${directory}`, 'none', 'lost.js');
  await assert.rejects(
    lost.run({ config: { sampler: parseSampler('class-balanced:9') } }),
    freshetError('CONFIG_INVALID', /train is missing/),
  );
});
