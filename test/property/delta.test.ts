/** The algebra of deltas and the root of what they lead to, over random bit patterns. */
import { strict as assert } from 'node:assert';
import { describe, it } from 'node:test';
import { applyDelta, composeDeltas, diffWeights } from '@freshet/protocol/delta';
import { digestWeights, LEAF_ELEMENTS, WeightsDigest } from '@freshet/protocol/digest';
import { asModelDigest, asWeightsVersion } from '@freshet/protocol/ids';
import fc from 'fast-check';
import '../support/seed.ts';
import { assertSameBits, deltaFor, floatBits, weights, weightsOfBits } from '../support/weights.ts';

const MODEL = asModelDigest('ab'.repeat(32));
const VERSION = asWeightsVersion(7);

const weightsAndDeltas = (count: number) =>
  weights(0, 300).chain((base) =>
    fc.tuple(fc.constant(base), ...Array.from({ length: count }, () => deltaFor(base.length))),
  );

describe('delta algebra', () => {
  it('apply(diff(a, b), a) = b', () => {
    const pair = weights(0, 300).chain((base) =>
      fc.tuple(
        fc.constant(base),
        fc.array(floatBits, { minLength: base.length, maxLength: base.length }).map(weightsOfBits),
      ),
    );
    fc.assert(
      fc.property(pair, ([base, next]) => {
        const patched = base.slice();
        applyDelta(patched, diffWeights(base, next));
        assertSameBits(patched, next);
      }),
    );
  });

  it('undo ∘ apply = identity', () => {
    fc.assert(
      fc.property(weightsAndDeltas(1), ([base, delta]) => {
        const patched = base.slice();
        const undo = applyDelta(patched, delta!);
        applyDelta(patched, undo);
        assertSameBits(patched, base);
      }),
    );
  });

  it('compose(d1, d2) has the effect of d1 and then d2', () => {
    fc.assert(
      fc.property(weightsAndDeltas(2), ([base, first, second]) => {
        const inTurn = base.slice();
        applyDelta(inTurn, first!);
        applyDelta(inTurn, second!);
        const atOnce = base.slice();
        applyDelta(atOnce, composeDeltas(first!, second!));
        assertSameBits(atOnce, inTurn);
      }),
    );
  });
});

describe('root', () => {
  it('kept up to date by updates, equals the root from scratch', () => {
    // Sizes around the leaf boundary and odd leaf counts are where a tree goes wrong.
    const elementCount = fc.oneof(
      fc.constantFrom(
        0,
        1,
        LEAF_ELEMENTS - 1,
        LEAF_ELEMENTS,
        LEAF_ELEMENTS + 1,
        3 * LEAF_ELEMENTS,
        7 * LEAF_ELEMENTS - 5,
      ),
      fc.integer({ min: 0, max: 6 * LEAF_ELEMENTS }),
    );
    const scenario = elementCount.chain((count) =>
      fc.tuple(fc.constant(count), fc.array(deltaFor(count), { maxLength: 4 })),
    );
    fc.assert(
      fc.property(scenario, ([count, deltas]) => {
        const current = new Float32Array(count);
        const digest = new WeightsDigest(current, MODEL);
        for (const delta of deltas) {
          applyDelta(current, delta);
          digest.update(delta.indices);
          assert.equal(digest.root(VERSION), digestWeights(current, MODEL, VERSION));
        }
      }),
      { numRuns: 60 },
    );
  });

  it('differs after any change of one bit', () => {
    fc.assert(
      fc.property(weights(1, 3000), fc.nat(), fc.integer({ min: 0, max: 31 }), (base, at, bit) => {
        const before = digestWeights(base, MODEL, VERSION);
        const bits = new Uint32Array(base.buffer);
        bits[at % bits.length]! ^= 1 << bit;
        assert.notEqual(digestWeights(base, MODEL, VERSION), before);
      }),
      { numRuns: 60 },
    );
  });

  it('differs between versions that hold the same numbers', () => {
    const same = new Float32Array(10);
    assert.notEqual(digestWeights(same, MODEL, VERSION), digestWeights(same, MODEL, asWeightsVersion(8)));
  });

  it('differs between models that hold the same numbers', () => {
    const same = new Float32Array(10);
    const other = asModelDigest('cd'.repeat(32));
    assert.notEqual(digestWeights(same, MODEL, VERSION), digestWeights(same, other, VERSION));
  });
});
