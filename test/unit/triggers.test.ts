/**
 * When each trigger asks for a training, and what its option says. Losses come from fixed seeds: the statistics are in
 * drift-detectors.test.ts.
 */
import { strict as assert } from 'node:assert';
import { describe, it } from 'node:test';
import { createRandom, type Random } from '@freshet/trainer/core/random';
import { unitReal } from '@freshet/trainer/core/samplers/unit-real';
import { createTrigger, restoreTrigger, triggerSpecOf } from '@freshet/trainer/core/triggers/create-trigger';
import type { Trigger } from '@freshet/trainer/core/triggers/trigger';
import { parseTrigger } from '@freshet/trainer/core/triggers/trigger-option';

const START_MS = 1_700_000_000_000;

const triggerOf = (text: string): Trigger => createTrigger(parseTrigger(text), START_MS);

/** A trigger made from another one's state, as a checkpoint or JSON gives it back. */
const resumed = (trigger: Trigger): Trigger => restoreTrigger(JSON.parse(JSON.stringify(trigger.state())));

describe('samples trigger', () => {
  it('asks for its number as soon as so many wait, and no more', () => {
    const trigger = triggerOf('samples:8');
    assert.equal(trigger.observes, false);
    assert.deepEqual(
      [0, 7, 8, 9, 800].map((freshCount) => trigger.due(freshCount, START_MS)),
      [0, 0, 8, 8, 8],
    );
  });
});

describe('time trigger', () => {
  it('asks for all that wait, once its period is over', () => {
    const trigger = triggerOf('time:500');
    assert.equal(trigger.due(3, START_MS + 499), 0);
    assert.equal(trigger.due(3, START_MS + 500), 3);
    assert.equal(trigger.due(5, START_MS + 800), 5, 'still, until a training takes them');
    trigger.took(5, START_MS + 800);
    assert.equal(trigger.due(5, START_MS + 1_299), 0);
    assert.equal(trigger.due(5, START_MS + 1_300), 5);
  });

  it('waits for samples where none wait at the end of the period', () => {
    const trigger = triggerOf('time:500');
    assert.equal(trigger.due(0, START_MS + 2_000), 0);
    assert.equal(trigger.due(1, START_MS + 2_001), 1);
  });

  it('does not wait for a clock that was set back to come round again', () => {
    const trigger = triggerOf('time:500');
    const yesterday = START_MS - 86_400_000;
    assert.equal(trigger.due(4, yesterday), 4);
    trigger.took(4, yesterday);
    assert.equal(trigger.due(4, yesterday + 499), 0);
    assert.equal(trigger.due(4, yesterday + 500), 4);
  });

  it('counts the time during which nothing ran', () => {
    const trigger = triggerOf('time:500');
    trigger.took(1, START_MS + 100);
    const after = resumed(trigger);
    assert.equal(after.due(2, START_MS + 599), 0);
    assert.equal(after.due(2, START_MS + 600), 2);
  });
});

describe('drift trigger', () => {
  /** Losses around `mean`, between mean − 0.3 and mean + 0.3. */
  const lossAround = (mean: number, random: Random) => mean + 0.6 * (unitReal(random) - 0.5);

  function observeMany(trigger: Trigger, count: number, mean: number, random: Random): void {
    for (let i = 0; i < count; i++) trigger.observe(lossAround(mean, random));
  }

  for (const detector of ['adwin', 'page-hinkley']) {
    it(`${detector}: trains now and then, and promptly for a while after a drift`, () => {
      const random = createRandom(61);
      const trigger = triggerOf(`drift:${detector}:200:8`);
      assert.equal(trigger.observes, true);
      observeMany(trigger, 2_000, 0.5, random);
      assert.deepEqual([trigger.due(8, 0), trigger.due(199, 0), trigger.due(200, 0)], [0, 0, 200]);
      observeMany(trigger, 100, 1.5, random);
      assert.deepEqual([trigger.due(7, 0), trigger.due(8, 0), trigger.due(300, 0)], [0, 8, 8]);
      let promptly = 0;
      while (trigger.due(199, 0) > 0) {
        promptly += trigger.due(199, 0);
        trigger.took(trigger.due(199, 0), 0);
      }
      assert.equal(promptly, 200);
      observeMany(trigger, 2_000, 1.5, random);
      assert.equal(trigger.due(199, 0), 0, 'the new level is the normal one');
    });

    it(`${detector}: sees a drift after losses have fallen to a hundredth`, () => {
      // On the scale of the first losses, what comes later would be one and the same number.
      const random = createRandom(62);
      const trigger = triggerOf(`drift:${detector}:200:8`);
      observeMany(trigger, 500, 50, random);
      for (let i = 0; i < 2_000; i++) trigger.observe(0.01 * lossAround(50, random));
      assert.equal(trigger.due(8, 0), 0, 'losses that fall ask for nothing');
      for (let i = 0; i < 200; i++) trigger.observe(0.01 * lossAround(51, random));
      assert.equal(trigger.due(8, 0), 8);
    });

    it(`${detector}: goes on from its state as if nothing had been`, () => {
      const random = createRandom(63);
      const trigger = triggerOf(`drift:${detector}:60:5`);
      let other = resumed(trigger);
      let alerts = 0;
      for (let i = 0; i < 4_000; i++) {
        const loss = lossAround(i % 1_000 < 600 ? 0.4 : 1.4, random);
        for (const each of [trigger, other]) each.observe(loss);
        const due = trigger.due(20, 0);
        assert.equal(other.due(20, 0), due);
        for (const each of [trigger, other]) each.took(due, 0);
        if (due > 0) alerts++;
        if (i % 41 === 0) other = resumed(other);
      }
      assert.ok(alerts >= 3 * 12, `${alerts} portions: too few to compare`);
      assert.deepEqual(other.state(), trigger.state());
    });
  }

  it('changes nothing by being asked', () => {
    const random = createRandom(64);
    const trigger = triggerOf('drift:adwin');
    observeMany(trigger, 300, 1, random);
    const before = trigger.state();
    trigger.due(5_000, 7);
    assert.deepEqual(trigger.state(), before);
  });

  it('hands its state out as a value', () => {
    const random = createRandom(65);
    const trigger = triggerOf('drift:adwin');
    observeMany(trigger, 100, 1, random);
    const state = trigger.state();
    const copy = structuredClone(state);
    observeMany(trigger, 100, 1, random);
    restoreTrigger(state).observe(3);
    assert.deepEqual(state, copy);
  });
});

describe('parseTrigger', () => {
  it('reads every kind, and what was made of it says so', () => {
    const read: readonly [string, ReturnType<typeof parseTrigger>][] = [
      ['samples:8', { kind: 'samples', count: 8 }],
      ['time:250', { kind: 'time', periodMs: 250 }],
      ['drift:adwin', { kind: 'drift', detector: 'adwin', quietCount: 1024, alertCount: 8 }],
      ['drift:page-hinkley:500', { kind: 'drift', detector: 'page-hinkley', quietCount: 500, alertCount: 8 }],
      ['drift:adwin:500:16', { kind: 'drift', detector: 'adwin', quietCount: 500, alertCount: 16 }],
      ['drift:adwin:4', { kind: 'drift', detector: 'adwin', quietCount: 4, alertCount: 4 }],
    ];
    for (const [text, spec] of read) {
      assert.deepEqual(parseTrigger(text), spec);
      assert.deepEqual(triggerSpecOf(triggerOf(text).state()), spec);
    }
  });

  const refused: readonly [string, RegExp][] = [
    ['8', /there is no trigger "8"/],
    ['samples', /something is missing behind "samples"/],
    ['samples:0', /N must be a whole number from 1 to 4294967295/],
    ['time:1.5', /MS must be a whole number from 1 to 31536000000/],
    ['drift', /something is missing/],
    ['drift:ddm', /there is no drift detector "ddm"/],
    ['drift:adwin:8:16', /T must be at most N/],
    ['drift:adwin:8:4:2', /":2" is too much/],
  ];
  for (const [text, problem] of refused) {
    it(`refuses "${text}", saying why and what to write`, () => {
      assert.throws(
        () => parseTrigger(text),
        (error: Error) => {
          assert.ok(error.message.startsWith(`--trigger ${text}: `));
          assert.match(error.message, problem);
          assert.match(error.message, /Write samples:N, time:MS, drift:adwin, drift:page-hinkley or /);
          return 'code' in error && error.code === 'CONFIG_INVALID';
        },
      );
    });
  }
});
