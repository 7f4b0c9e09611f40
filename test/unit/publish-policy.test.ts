/** When and how much each publish policy publishes, and what its option says. */
import { strict as assert } from 'node:assert';
import { describe, it } from 'node:test';
import { DELTA_PAYLOAD_BYTES_MAX } from '@freshet/protocol/limits';
import {
  createPublishPolicy,
  publishPolicySpecOf,
  restorePublishPolicy,
} from '@freshet/trainer/core/publish-policy/create-policy';
import { parseBudget, parsePublishPolicy } from '@freshet/trainer/core/publish-policy/policy-option';

const START_MS = 1_700_000_000_000;
const OPTIONS = { density: 0.01, weightCount: 100_000, fixedBytes: 100 };

const policyOf = (text: string, options = OPTIONS) =>
  createPublishPolicy(parsePublishPolicy(text), options, START_MS);

describe('steps policy', () => {
  it('publishes its share after every so many steps', () => {
    const policy = policyOf('steps:5');
    const due = Array.from({ length: 12 }, (_, step) => policy.due({ step, nowMs: START_MS }));
    assert.deepEqual(due, [null, null, null, null, null, 0.01, null, null, null, null, 0.01, null]);
  });
});

describe('time policy', () => {
  it('publishes its share once so much time has passed, and then from there', () => {
    const policy = policyOf('time:300');
    const at = (ms: number) => ({ step: 1, nowMs: START_MS + ms });
    assert.equal(policy.due(at(299)), null);
    assert.equal(policy.due(at(350)), 0.01);
    policy.published({ ...at(350), changedCount: 0, bytes: 0 });
    assert.equal(policy.due(at(649)), null, 'also when there was nothing to publish');
    assert.equal(policy.due(at(650)), 0.01);
  });

  it('does not wait for a clock that was set back', () => {
    const policy = policyOf('time:300');
    assert.equal(policy.due({ step: 1, nowMs: START_MS - 1 }), 0.01);
  });
});

describe('budget policy', () => {
  const at = (ms: number) => ({ step: 1, nowMs: START_MS + ms });

  it('starts with nothing, and publishes what a quarter of a second gives (worked by hand)', () => {
    const policy = policyOf('budget:20kB/s');
    assert.equal(policy.due(at(0)), null);
    assert.equal(policy.due(at(249)), null);
    // 5,000 bytes less 3 % and the fixed part: 4,750 at 8 bytes each.
    assert.equal(policy.due(at(250)), 593 / 100_000);
    policy.published({ ...at(250), changedCount: 593, bytes: 100 + 593 * 4 });
    // 5,000 − 2,472 and another 5,000: 7,528 less 3 % and the fixed part, 7,202.16 at 4 bytes each.
    assert.equal(policy.due(at(500)), 1_800 / 100_000);
  });

  it('saves up to two seconds, or what one says, and no more', () => {
    const count = (text: string, ms: number) => (policyOf(text).due(at(ms)) ?? 0) * 100_000;
    assert.equal(count('budget:20kB/s', 2_000), Math.floor((40_000 * 0.97 - 100) / 8));
    assert.equal(count('budget:20kB/s', 60_000), Math.floor((40_000 * 0.97 - 100) / 8));
    assert.equal(count('budget:20kB/s:5000', 60_000), Math.floor((100_000 * 0.97 - 100) / 8));
  });

  it('waits until a delta that was larger than thought is paid for', () => {
    const policy = policyOf('budget:20kB/s');
    policy.due(at(1_000));
    policy.published({ ...at(1_000), changedCount: 500, bytes: 45_000 });
    // 25,000 owed: paid after 1,250 ms, and a delta is due with the 5,000 of 250 more.
    assert.equal(policy.due(at(2_499)), null);
    assert.ok(policy.due(at(2_500))! > 0);
  });

  it('sends no more often, but more, where frames would eat the budget up', () => {
    // 100 bytes before the first value: a delta of 1,000 bytes at least, which 50 B/s give in 20 s.
    const policy = policyOf('budget:50B/s');
    assert.equal(policy.due(at(19_900)), null);
    assert.equal(policy.due(at(20_000)), 108 / 100_000);
  });

  it('publishes everything where the budget allows it, and never more than half a message', () => {
    assert.equal(policyOf('budget:1GB/s').due(at(1_000)), 1);
    const weightCount = 1e8;
    const density = policyOf('budget:10GB/s', { ...OPTIONS, weightCount }).due(at(1_000))!;
    assert.equal(Math.round(density * weightCount), Math.floor((DELTA_PAYLOAD_BYTES_MAX / 2 - 100) / 8));
  });

  it('is not misled by deltas that are all frame, nor put off by empty ones', () => {
    const policy = policyOf('budget:20kB/s');
    policy.published({ ...at(250), changedCount: 900, bytes: 100 + 900 * 4 });
    for (let i = 2; i < 9; i++) policy.published({ ...at(250 * i), changedCount: 1, bytes: 90 + i });
    policy.published({ ...at(2_400), changedCount: 0, bytes: 0 });
    assert.equal(policy.due(at(2_649)), null, 'a quarter of a second after an attempt');
    const bytes = 40_000;
    assert.equal(policy.due(at(9_000)), Math.floor((bytes * 0.97 - 100) / 4) / 100_000);
  });

  it('learns nothing from an empty delta, also where frames are thought to cost nothing', () => {
    const policy = policyOf('budget:20kB/s', { ...OPTIONS, fixedBytes: 0 });
    policy.published({ ...at(250), changedCount: 0, bytes: 0 });
    assert.equal(policy.due(at(1_000)), Math.floor((20_000 * 0.97) / 8) / 100_000);
  });

  it('goes on at once when the clock was set back', () => {
    const policy = policyOf('budget:20kB/s');
    policy.published({ ...at(1_000), changedCount: 500, bytes: 2_000 });
    const yesterday = -86_400_000;
    assert.equal(policy.due(at(yesterday)), null);
    assert.ok(policy.due(at(yesterday + 250))! > 0);
  });

  it('asserts that something was sent exactly when something has changed', () => {
    const policy = policyOf('budget:20kB/s');
    assert.throws(() => policy.published({ ...at(0), changedCount: 0, bytes: 5 }), /only then/);
    assert.throws(() => policy.published({ ...at(0), changedCount: 5, bytes: 0 }), /only then/);
  });
});

describe('all policies', () => {
  for (const text of ['steps:3', 'time:250', 'budget:20kB/s:1500']) {
    it(`${text}: go on from their state as if nothing had been, and it says what they are`, () => {
      const policy = policyOf(text);
      assert.deepEqual(publishPolicySpecOf(policy.state()), parsePublishPolicy(text));
      let resumed = restorePublishPolicy(JSON.parse(JSON.stringify(policy.state())), OPTIONS);
      let publications = 0;
      for (let step = 1; step < 400; step++) {
        const moment = { step, nowMs: START_MS + step * 70 + (step % 7) * 0.3 };
        const density = policy.due(moment);
        assert.equal(resumed.due(moment), density);
        assert.equal(policy.due(moment), density, 'asking twice is asking once');
        if (density !== null) {
          publications++;
          const changedCount = Math.round(density * OPTIONS.weightCount);
          const bytes = 100 + Math.ceil(changedCount * (2 + (step % 5)));
          for (const each of [policy, resumed]) each.published({ ...moment, changedCount, bytes });
        }
        const state = policy.state();
        if (step % 11 === 0) resumed = restorePublishPolicy(state, OPTIONS);
      }
      assert.ok(publications >= 50, `${publications} publications: too few to compare`);
      assert.deepEqual(resumed.state(), policy.state());
    });
  }

  it('hand their state out as a value', () => {
    const policy = policyOf('budget:20kB/s');
    policy.published({ step: 1, nowMs: START_MS + 300, changedCount: 500, bytes: 2_000 });
    const state = policy.state();
    const copy = structuredClone(state);
    policy.published({ step: 2, nowMs: START_MS + 600, changedCount: 500, bytes: 2_500 });
    assert.deepEqual(state, copy);
  });
});

describe('parsePublishPolicy', () => {
  it('reads every kind', () => {
    assert.deepEqual(parsePublishPolicy('steps:5'), { kind: 'steps', everySteps: 5 });
    assert.deepEqual(parsePublishPolicy('time:1000'), { kind: 'time', periodMs: 1_000 });
    const budget = { kind: 'budget', bytesPerSecond: 20_000, burstMs: 2_000 };
    assert.deepEqual(parsePublishPolicy('budget:20kB/s'), budget);
    assert.deepEqual(parsePublishPolicy('budget:20kB/s:5000'), { ...budget, burstMs: 5_000 });
    assert.deepEqual(parseBudget('20kB/s'), budget);
  });

  const rates: readonly [string, number][] = [
    ['1B/s', 1],
    ['1.5MB/s', 1_500_000],
    ['20 kB/s', 20_000],
    ['64KiB/s', 65_536],
    ['2MiB/s', 2_097_152],
    ['1GiB/s', 1_073_741_824],
    ['1000GB/s', 1e12],
    ['8bit/s', 1],
    ['256kbit/s', 32_000],
    ['10Mbit/s', 1_250_000],
    ['1Gbit/s', 125_000_000],
  ];
  for (const [text, bytesPerSecond] of rates) {
    it(`reads ${text}`, () => {
      const spec = parseBudget(text);
      assert.ok(spec.kind === 'budget' && spec.bytesPerSecond === bytesPerSecond);
    });
  }

  const refusedRates: readonly [string, RegExp][] = [
    ['', /"" is not an amount, a unit and "\/s"/],
    ['20', /"20" is not an amount/],
    ['20kB', /is not an amount, a unit and "\/s"/],
    ['-20kB/s', /is not an amount/],
    ['1e3B/s', /is not an amount/],
    ['20kb/s', /there is no unit "kb"; there are B, kB, MB, /],
    ['20toString/s', /there is no unit "toString"/],
    ['0kB/s', /0kB\/s is not from 1B\/s to 1000GB\/s/],
    ['0.5B/s', /is not from 1B\/s/],
    ['1001GB/s', /is not from 1B\/s to 1000GB\/s/],
  ];
  for (const [text, problem] of refusedRates) {
    it(`refuses the rate "${text}", saying why and what to write`, () => {
      for (const parse of [() => parseBudget(text), () => parsePublishPolicy(`budget:${text}`)]) {
        assert.throws(parse, (error: Error) => {
          assert.match(error.message, /^--(budget|publish) /);
          assert.match(error.message, problem);
          assert.match(error.message, /Write .*20kB\/s/);
          return 'code' in error && error.code === 'CONFIG_INVALID';
        });
      }
    });
  }

  const refused: readonly [string, RegExp][] = [
    ['5', /there is no publish policy "5"/],
    ['steps', /something is missing behind "steps"/],
    ['steps:0', /N must be a whole number from 1/],
    ['time:0', /MS must be a whole number from 1/],
    ['budget', /something is missing/],
    ['budget:20kB/s:10', /BURST_MS must be a whole number from 1000/],
    ['budget:20kB/s:1000:1', /":1" is too much/],
  ];
  for (const [text, problem] of refused) {
    it(`refuses "${text}", saying why and what to write`, () => {
      assert.throws(
        () => parsePublishPolicy(text),
        (error: Error) => {
          assert.ok(error.message.startsWith(`--publish ${text}: `));
          assert.match(error.message, problem);
          assert.match(error.message, /Write steps:N, time:MS, budget:RATE or /);
          return 'code' in error && error.code === 'CONFIG_INVALID';
        },
      );
    });
  }
});
