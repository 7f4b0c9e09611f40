/** Steps of each value format: there and back to the bit, and what a scale reaches. */
import { strict as assert } from 'node:assert';
import { describe, it } from 'node:test';
import { bitsOf } from '@freshet/protocol/delta';
import { fromBfloat16, fromFloat16, toBfloat16, toFloat16 } from '@freshet/protocol/payload/float-bits';
import {
  afterScaledSteps,
  afterSteps,
  isScale,
  SCALED_STEPS_MAX,
  scaledStepsBetween,
  scaleFor,
  stepsBetween,
} from '@freshet/protocol/payload/value-format';
import fc from 'fast-check';
import '../support/seed.ts';
import { floatBits, weightsOfBits } from '../support/weights.ts';

const bitsOfValue = (value: number) => bitsOf(Float32Array.of(value))[0]!;
const numberOf = (bits: number) => weightsOfBits([bits])[0]!;
const ONE = bitsOfValue(1);
const half = fc.nat({ max: 0xffff });
const RUNS = { numRuns: 5000 };

describe('steps of f32', () => {
  it('lead from any pattern to any other', () => {
    fc.assert(
      fc.property(floatBits, floatBits, (old, next) => {
        const steps = stepsBetween('f32', old, next)!;
        assert.ok(Number.isInteger(steps) && steps >= -(2 ** 31) && steps < 2 ** 31);
        assert.equal(afterSteps('f32', old, steps), next);
      }),
      RUNS,
    );
  });

  it('are one to the next float, also over 0, and the shorter way round', () => {
    assert.equal(stepsBetween('f32', ONE, ONE + 1), 1);
    assert.equal(stepsBetween('f32', bitsOfValue(-1), bitsOfValue(-1) + 1), -1);
    assert.equal(stepsBetween('f32', 0, 0x8000_0000), -1);
    // From the smallest negative number to the smallest positive one: −1 → −0 → +0 → 1.
    assert.equal(stepsBetween('f32', 0x8000_0001, 1), 3);
    // From the last NaN on there is the first one of the other sign.
    assert.equal(stepsBetween('f32', 0x7fff_ffff, 0xffff_ffff), 1);
  });
});

for (const [format, to, from] of [
  ['f16', toFloat16, fromFloat16],
  ['bf16', toBfloat16, fromBfloat16],
] as const) {
  describe(`steps of ${format}`, () => {
    // A signalling NaN becomes a quiet one when it is rounded.
    const representable = half.map((each) => from(to(from(each))));

    it(`lead from any float32 to any number of ${format}`, () => {
      fc.assert(
        fc.property(floatBits, representable, (old, next) => {
          const steps = stepsBetween(format, old, next)!;
          assert.equal(afterSteps(format, old, steps), next);
        }),
        RUNS,
      );
    });

    it('count its numbers from the old weight rounded to it', () => {
      const old = ONE + 3;
      assert.equal(stepsBetween(format, old, ONE), 0);
      assert.equal(afterSteps(format, old, 0), ONE);
      assert.equal(afterSteps(format, old, 1), from(to(ONE) + 1));
      assert.equal(afterSteps(format, old, -1), from(to(ONE) - 1));
    });

    it('lead to nothing else, and end where the format does', () => {
      assert.equal(stepsBetween(format, ONE, ONE + 1), null);
      assert.equal(afterSteps(format, 0x7fff_ffff, 1), null);
      assert.equal(afterSteps(format, 0xffff_ffff, -1), null);
      assert.equal(afterSteps(format, 0, 0x7fff), from(0x7fff));
      assert.equal(afterSteps(format, 0, -0x8000), from(0xffff));
      assert.equal(afterSteps(format, 0, 0x8000), null);
      assert.equal(afterSteps(format, 0, -0x8001), null);
    });
  });
}

for (const format of ['q8', 'q4'] as const) {
  const stepsMax = SCALED_STEPS_MAX[format];

  describe(`steps of ${format}`, () => {
    const scale = fc.integer({ min: 1, max: 0x7f7f });
    const steps = fc.integer({ min: -stepsMax, max: stepsMax });

    it('lead where the encoder says, though float32 may round several of them to the same number', () => {
      fc.assert(
        fc.property(floatBits, scale, steps, (old, drawnScale, count) => {
          const scaleBits = fromBfloat16(drawnScale);
          const next = afterScaledSteps(old, count, scaleBits);
          if (next === null || !Number.isFinite(numberOf(next))) return;
          const found = scaledStepsBetween(format, old, next, scaleBits);
          assert.ok(found !== null && Math.abs(found) <= stepsMax);
          assert.equal(afterScaledSteps(old, found, scaleBits), next);
        }),
        RUNS,
      );
    });

    it('are as many as were taken, where floats are finer than the scale', () => {
      for (let count = -stepsMax; count <= stepsMax; count++) {
        const next = afterScaledSteps(bitsOfValue(0.25), count, bitsOfValue(2 ** -10))!;
        assert.equal(numberOf(next), 0.25 + count / 1024);
        assert.equal(scaledStepsBetween(format, bitsOfValue(0.25), next, bitsOfValue(2 ** -10)), count);
      }
    });

    it('are found where the last one goes further than its own length', () => {
      // Next to 2^33 floats are 1024 apart: stepsMax × scale is rounded up to that, which is more than stepsMax scales.
      const old = bitsOfValue(2 ** 33);
      const scaleBits = fromBfloat16(scaleFor(format, 900));
      const next = bitsOfValue(2 ** 33 + 1024);
      assert.equal(afterScaledSteps(old, stepsMax, scaleBits), next);
      assert.equal(scaledStepsBetween(format, old, next, scaleBits), stepsMax);
    });

    it('are none where there are not enough of them, or no whole number', () => {
      const scaleBits = ONE;
      assert.equal(scaledStepsBetween(format, 0, bitsOfValue(stepsMax), scaleBits), stepsMax);
      assert.equal(scaledStepsBetween(format, 0, bitsOfValue(stepsMax + 1), scaleBits), null);
      assert.equal(scaledStepsBetween(format, 0, bitsOfValue(1.25), scaleBits), null);
      assert.equal(scaledStepsBetween(format, 0, 0x7fc0_0000, scaleBits), null);
      assert.equal(scaledStepsBetween(format, 0x7f80_0000, 0x7f80_0000, scaleBits), null);
    });

    it('have a scale that reaches the largest change, and no smaller one does', () => {
      const magnitude = fc.float({ min: 0, max: Math.fround(3.4e38), noNaN: true, minExcluded: true });
      fc.assert(
        fc.property(magnitude, (largest) => {
          const found = scaleFor(format, largest);
          assert.ok(isScale(found));
          // Products of 15 bits: exact as doubles.
          assert.ok(stepsMax * numberOf(fromBfloat16(found)) >= largest);
          if (found > 1) assert.ok(stepsMax * numberOf(fromBfloat16(found - 1)) < largest);
        }),
        RUNS,
      );
    });
  });
}

describe('scaled steps', () => {
  it('round the product first and then the sum', () => {
    // 5 × 2^126 is beyond float32, though −2^127 + 5 × 2^126 = 1.5 × 2^127 is not: the product is ∞, and so is the sum.
    const scaleBits = bitsOfValue(2 ** 126);
    assert.equal(afterScaledSteps(bitsOfValue(-(2 ** 127)), 5, scaleBits), 0x7f80_0000);
    // (2^24 + 2) + 1: a tie, which goes to the even neighbour.
    assert.equal(afterScaledSteps(bitsOfValue(2 ** 24 + 2), 1, ONE), bitsOfValue(2 ** 24 + 4));
  });

  it('lead from −0 to +0 where there are none, and to no NaN', () => {
    assert.equal(afterScaledSteps(0x8000_0000, 0, ONE), 0);
    assert.equal(afterScaledSteps(0x7fc0_0001, 1, ONE), null);
    assert.equal(afterScaledSteps(0xff80_0000, 7, bitsOfValue(2 ** 127)), null);
  });

  it('have scales that are positive and finite', () => {
    assert.deepEqual([0, 1, 0x7f7f, 0x7f80, 0x7fc0, 0x8001, 0xbf80].map(isScale), [
      false,
      true,
      true,
      false,
      false,
      false,
      false,
    ]);
    assert.equal(scaleFor('q8', 0), 1, 'where nothing changes');
  });
});
