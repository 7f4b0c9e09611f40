/**
 * A second of `npm run fuzz` for every decoder of bytes from a peer: whatever the bytes are, it raises declared errors
 * only, takes memory in proportion, and works afterwards. Inputs are valid ones that were damaged, because random bytes
 * rarely get past the first check.
 */
import { strict as assert } from 'node:assert';
import { describe, it } from 'node:test';
import { prepare } from '../support/fuzz/fuzz-frame.ts';
import { fuzzRun } from '../support/fuzz/fuzz-run.ts';
import { FUZZ_TARGET_NAMES, FUZZ_TARGETS } from '../support/fuzz/fuzz-targets.ts';
import { describeFault, describeReport } from '../support/fuzz/fuzz-text.ts';
import { seed } from '../support/seed.ts';

const TIME_LIMIT_MS = 1000;

describe('fuzz', () => {
  for (const name of FUZZ_TARGET_NAMES) {
    it(FUZZ_TARGETS[name].what, async () => {
      const target = prepare(FUZZ_TARGETS[name].make(seed));
      const start = performance.now();
      const report = await fuzzRun(target, seed, {
        frames: Number.POSITIVE_INFINITY,
        goOn: () => performance.now() - start < TIME_LIMIT_MS,
      });
      console.log(describeReport(name, report, performance.now() - start));
      const fault = describeFault(name, seed, report);
      if (fault !== null) assert.fail(fault);
      assert.ok(report.decoded > 0, 'some damage does no harm');
      const codes = Object.keys(report.refused).sort();
      // No input gets as large as that.
      const expected = target.codes.filter((code) => code !== 'FRAME_TOO_LARGE').sort();
      assert.deepEqual(codes, expected, 'the damage reaches every refusal');
    });
  }
});
