/** What formats make of a delta before it is published: the nearest they can carry, and nothing that is not finite. */
import { strict as assert } from 'node:assert';
import { describe, it } from 'node:test';
import { bitsOf, type SparseDelta } from '@freshet/protocol/delta';
import { fromBfloat16 } from '@freshet/protocol/payload/float-bits';
import { SCALED_STEPS_MAX, type ValueFormat } from '@freshet/protocol/payload/value-format';
import fc from 'fast-check';
import {
  type RoundedDelta,
  roundAllToGrid,
  roundDelta,
  roundToGrid,
} from '../../trainer/core/round-values.ts';
import { change, finiteBits, formatsOfTensors, layoutOf } from '../support/deltas.ts';
import '../support/seed.ts';
import { assertSameBits, weightsOfBits } from '../support/weights.ts';

/** All of `trained`, for one tensor that holds `base`. */
function round(format: ValueFormat, base: readonly number[], trained: readonly number[]): RoundedDelta {
  const delta = {
    indices: Uint32Array.from(trained.keys()),
    valueBits: bitsOf(Float32Array.from(trained)),
  };
  return roundDelta(delta, Float32Array.from(base), layoutOf([base.length]), [format]);
}

const valuesOf = ({ valueBits }: SparseDelta) => [...weightsOfBits(valueBits)];

describe('roundDelta', () => {
  it('leaves f32 as it is, and takes f16 and bf16 to the nearest', () => {
    const trained = [1 / 3, -1.0009765625, 3e-8];
    const base = [0, 0, 0];
    assert.deepEqual(valuesOf(round('f32', base, trained).delta), trained.map(Math.fround));
    // 1/3 = 1.0101010101|01… × 2^−2; a tie is none here. −(1 + 2^−10) is a number of f16; 3e−8 is nearer to 2^−25 … 2^−24.
    assert.deepEqual(valuesOf(round('f16', base, trained).delta), [0.333251953125, -1.0009765625, 2 ** -24]);
    assert.deepEqual(valuesOf(round('bf16', base, trained).delta).slice(0, 2), [0.333984375, -1]);
  });

  it('takes scaled values to whole steps of the scale that reaches the largest change', () => {
    // 12.7 / 127 = 0.1, and the bfloat16 above it is 0.10009765625 = 205 × 2^−11.
    const { delta, values } = round('q8', [1, 2, 3], [1 + 12.7, 2 - 0.26, 3 + 0.04]);
    const scale = 205 / 2048;
    assert.equal(values[0]?.format, 'q8');
    assert.equal(weightsOfBits([fromBfloat16(values[0]!.scale!)])[0], scale);
    // 12.7 / scale = 126.9 → 127; −0.26 / scale = −2.6 → −3; 0.04 / scale = 0.4 → 0: not in the delta.
    assert.deepEqual([...delta.indices], [0, 1]);
    assert.deepEqual(valuesOf(delta), [Math.fround(1 + 127 * scale), Math.fround(2 - 3 * scale)]);
  });

  it('leaves out what rounding has left where it was', () => {
    // Between 1 and the next f16 there are 2^13 floats; less than half of the way is none.
    const { delta } = round('f16', [1, 1], [1 + 2 ** -12, 1 + 2 ** -10]);
    assert.deepEqual([...delta.indices], [1]);
    assert.deepEqual([...round('f32', [1], [1]).delta.indices], []);
  });

  it('gives each tensor its own format, and a scale to those that need one', () => {
    const layout = layoutOf([1, 0, 2, 1]);
    const formats: ValueFormat[] = ['f16', 'q8', 'q4', 'f32'];
    const delta = {
      indices: Uint32Array.of(0, 1, 2, 3),
      valueBits: bitsOf(Float32Array.of(0.1, 7, 3.4, 0.1)),
    };
    const rounded = roundDelta(delta, new Float32Array(4), layout, formats);
    assert.deepEqual(
      rounded.values.map(({ format }) => format),
      formats,
    );
    assert.deepEqual(
      rounded.values.map(({ scale }) => scale !== undefined),
      [false, true, true, false],
    );
    // 7 / 7 = 1 is the scale of the third tensor; 3.4 is 3 of it.
    assert.deepEqual(valuesOf(rounded.delta), [0.0999755859375, 7, 3, Math.fround(0.1)]);
  });

  it('changes neither the delta nor the weights it is given', () => {
    const base = Float32Array.of(1, 2);
    const delta = { indices: Uint32Array.of(0, 1), valueBits: bitsOf(Float32Array.of(1.1, 2)) };
    roundDelta(delta, base, layoutOf([2]), ['q4']);
    assertSameBits(base, Float32Array.of(1, 2));
    assertSameBits(weightsOfBits(delta.valueBits), Float32Array.of(1.1, 2));
  });

  it('keeps a finite weight finite: where the format ends, and where a step would overflow', () => {
    const largest = Math.fround(3.4028234e38);
    assert.deepEqual(valuesOf(round('f16', [0, 0], [70_000, -1e30]).delta), [65_504, -65_504]);
    assert.deepEqual(valuesOf(round('bf16', [0], [largest]).delta), [weightsOfBits([0x7f7f_0000])[0]]);
    for (const format of ['q8', 'q4'] as const) {
      for (const [base, trained] of [
        [0, -largest],
        [-largest, largest],
        [largest, -largest],
      ] as const) {
        const [reached] = valuesOf(round(format, [base], [trained]).delta);
        assert.ok(Number.isFinite(reached) && Math.abs(reached! - trained) < Math.abs(base - trained));
      }
    }
  });

  it('is off by half a step at most, wherever floats are finer than that', () => {
    const weight = fc.double({ min: -1, max: 1, noNaN: true });
    const pairs = fc.array(fc.tuple(weight, weight), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(pairs, fc.constantFrom('q8', 'q4'), (drawn, format) => {
        const base = drawn.map(([each]) => Math.fround(each));
        const trained = drawn.map(([, each]) => Math.fround(each));
        const { delta, values } = round(format, base, trained);
        const reached = Float32Array.from(base);
        for (const [i, value] of valuesOf(delta).entries()) reached[delta.indices[i]!] = value;
        const step = weightsOfBits([fromBfloat16(values[0]!.scale!)])[0]!;
        const largest = Math.max(...base.map((each, i) => Math.abs(trained[i]! - each)));
        assert.ok(SCALED_STEPS_MAX[format] * step >= largest);
        // Results of magnitude 2 at most: the sum is rounded by 2^−24 of that.
        for (const [i, each] of reached.entries()) {
          assert.ok(Math.abs(each - trained[i]!) <= step / 2 + 2 ** -23, `${each} for ${trained[i]}`);
        }
      }),
    );
  });

  it('does nothing to what it has rounded already', () => {
    fc.assert(
      fc.property(change(finiteBits), formatsOfTensors, ({ layout, base, delta }, formatsFor) => {
        const formats = formatsFor(layout).map((format) =>
          format === 'q8' || format === 'q4' ? 'f16' : format,
        );
        const once = roundDelta(delta, base, layout, formats).delta;
        assert.deepEqual(roundDelta(once, base, layout, formats).delta, once);
      }),
    );
  });
});

describe('roundAllToGrid', () => {
  it('gives what rounding one after the other gives: at every exponent, at ties, and at both ends', () => {
    const patterns: number[] = [];
    for (let exponent = 0; exponent < 255; exponent++) {
      for (const fraction of [
        0, 1, 0xfff, 0x1000, 0x1001, 0x3000, 0x7fff, 0x8000, 0x1_8000, 0x7f_efff, 0x7f_ffff,
      ]) {
        const magnitude = (exponent << 23) | fraction;
        patterns.push(magnitude, (magnitude | 0x8000_0000) >>> 0);
      }
    }
    const bits = Uint32Array.from(patterns);
    for (const format of ['f16', 'bf16'] as const) {
      const rounded = new Uint32Array(bits.length);
      roundAllToGrid(format, bits, rounded);
      assert.deepEqual(
        rounded,
        bits.map((each) => roundToGrid(format, each)),
      );
    }
  });
});
