/** What `--sampler` takes, and what it says about anything else. */
import { strict as assert } from 'node:assert';
import { describe, it } from 'node:test';
import { parseSampler } from '@freshet/trainer/core/samplers/sampler-option';

describe('parseSampler', () => {
  it('reads every kind', () => {
    assert.deepEqual(parseSampler('uniform'), { kind: 'uniform', limit: null });
    assert.deepEqual(parseSampler('uniform:50000'), { kind: 'uniform', limit: 50_000 });
    assert.deepEqual(parseSampler('window:2000'), { kind: 'window', count: 2_000 });
    assert.deepEqual(parseSampler('time-decayed:500'), { kind: 'time-decayed', halfLife: 500, limit: null });
    assert.deepEqual(parseSampler('time-decayed:500:9000'), {
      kind: 'time-decayed',
      halfLife: 500,
      limit: 9_000,
    });
    assert.deepEqual(parseSampler('reservoir:1'), { kind: 'reservoir', count: 1 });
    assert.deepEqual(parseSampler('class-balanced:2000'), { kind: 'class-balanced', count: 2_000 });
  });

  const refused: readonly [string, RegExp][] = [
    ['', /there is no sampler ""/],
    ['unifrom', /there is no sampler "unifrom"/],
    ['uniform:0', /LIMIT must be a whole number from 1 to 4294967295/],
    ['uniform:', /LIMIT must be/],
    ['uniform:5:6', /":6" is too much/],
    ['window', /something is missing behind "window"/],
    ['window:-5', /N must be a whole number/],
    ['window:1e3', /N must be/],
    ['window:4294967296', /N must be/],
    ['time-decayed', /something is missing/],
    ['time-decayed:0.5', /HALF_LIFE must be/],
    ['time-decayed:5:x', /LIMIT must be/],
    ['reservoir:16777217', /N must be a whole number from 1 to 16777216/],
    ['class-balanced: 5', /N must be/],
  ];
  for (const [text, problem] of refused) {
    it(`refuses "${text}", saying why and what to write`, () => {
      assert.throws(
        () => parseSampler(text, '--history-sampler'),
        (error: Error) => {
          assert.match(error.message, problem);
          assert.ok(error.message.startsWith(`--history-sampler ${text}: `));
          assert.match(error.message, /Write uniform, .* or class-balanced:N$/);
          return 'code' in error && error.code === 'CONFIG_INVALID';
        },
      );
    });
  }
});
