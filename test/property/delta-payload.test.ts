/**
 * The encoding of deltas: nothing is lost on the way, in any format, over any weights. Formats other than f32 cannot
 * hold any value; what the publisher rounds to them, they do.
 */
import { strict as assert } from 'node:assert';
import { describe, it } from 'node:test';
import { applyDelta, diffWeights, type SparseDelta } from '@freshet/protocol/delta';
import {
  type DeltaLayout,
  decodeDeltaIndices,
  decodeDeltaPayload,
  encodeDeltaPayload,
  formatsOfPayload,
} from '@freshet/protocol/delta-payload';
import type { TensorValues } from '@freshet/protocol/payload/value-coder';
import { VALUE_FORMATS, type ValueFormat } from '@freshet/protocol/payload/value-format';
import fc from 'fast-check';
import { roundDelta } from '../../trainer/core/round-values.ts';
import { change, finiteBits, formatsOfTensors, layoutOf } from '../support/deltas.ts';
import { xorshift } from '../support/hub-model.ts';
import { seed } from '../support/seed.ts';
import { assertSameBits, floatBits } from '../support/weights.ts';

const RUNS = { numRuns: 400 };

function assertComesBack(
  delta: SparseDelta,
  base: Float32Array,
  layout: DeltaLayout,
  values?: readonly TensorValues[],
): void {
  const payload = encodeDeltaPayload(delta, base, layout, values);
  assert.deepEqual(decodeDeltaPayload(payload, base, layout), delta);
  assert.deepEqual(decodeDeltaIndices(payload, layout), delta.indices);
  const formats = values?.map(({ format }) => format) ?? layout.tensors.map(() => 'f32' as const);
  const expected = formats.length === 0 ? [] : [...new Set(formats)];
  assert.deepEqual(formatsOfPayload(payload, layout), expected);
}

describe('decode ∘ encode = identity', () => {
  it('of any pattern over any other, exactly', () => {
    fc.assert(
      fc.property(change(floatBits), ({ delta, base, layout }) => assertComesBack(delta, base, layout)),
      RUNS,
    );
  });

  for (const format of VALUE_FORMATS) {
    it(`of finite values rounded to ${format}`, () => {
      fc.assert(
        fc.property(change(finiteBits), ({ delta, base, layout }) => {
          const formats = layout.tensors.map(() => format);
          const rounded = roundDelta(delta, base, layout, formats);
          assertComesBack(rounded.delta, base, layout, rounded.values);
        }),
        RUNS,
      );
    });
  }

  it('of finite values in a format of its own for each tensor', () => {
    fc.assert(
      fc.property(change(finiteBits), formatsOfTensors, ({ delta, base, layout }, formatsFor) => {
        const rounded = roundDelta(delta, base, layout, formatsFor(layout));
        assertComesBack(rounded.delta, base, layout, rounded.values);
      }),
      RUNS,
    );
  });

  it('of as many changes as make models forget, at every density', () => {
    // Counts are halved after 16,384 symbols and the window of gaps after 128.
    const layout = layoutOf([30_000, 1, 0, 120_000, 50_000]);
    const formats: ValueFormat[] = ['f16', 'f32', 'q8', 'q4', 'bf16'];
    const random = xorshift(seed);
    const uniform = () => random() / 2 ** 32;
    const base = Float32Array.from({ length: layout.elementCount }, () => (uniform() - 0.5) / 10);
    for (const density of [1e-4, 0.01, 0.3, 1]) {
      const trained = base.map((value) => (uniform() < density ? value + (uniform() - 0.5) / 1000 : value));
      const delta = diffWeights(base, trained);
      assertComesBack(delta, base, layout);
      const rounded = roundDelta(delta, base, layout, formats);
      assertComesBack(rounded.delta, base, layout, rounded.values);
    }
  });
});

describe('through their encoding', () => {
  it('apply(diff(a, b), a) = b', () => {
    fc.assert(
      fc.property(change(floatBits), ({ delta, base, layout }) => {
        const next = base.slice();
        applyDelta(next, delta);
        const payload = encodeDeltaPayload(diffWeights(base, next), base, layout);
        const patched = base.slice();
        applyDelta(patched, decodeDeltaPayload(payload, patched, layout));
        assertSameBits(patched, next);
      }),
      RUNS,
    );
  });

  it('undo ∘ apply = identity, in every format', () => {
    fc.assert(
      fc.property(change(finiteBits), formatsOfTensors, ({ delta, base, layout }, formatsFor) => {
        const { delta: rounded, values } = roundDelta(delta, base, layout, formatsFor(layout));
        const weights = base.slice();
        const received = decodeDeltaPayload(
          encodeDeltaPayload(rounded, base, layout, values),
          weights,
          layout,
        );
        const undo = encodeDeltaPayload(applyDelta(weights, received), weights, layout);
        applyDelta(weights, decodeDeltaPayload(undo, weights, layout));
        assertSameBits(weights, base);
      }),
      RUNS,
    );
  });
});
