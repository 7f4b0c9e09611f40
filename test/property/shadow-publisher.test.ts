/** A replica that applies every publication holds the shadow, and reaches the trained weights once training stops. */
import { strict as assert } from 'node:assert';
import { describe, it } from 'node:test';
import { applyDelta, bitsOf } from '@freshet/protocol/delta';
import { decodeDeltaPayload } from '@freshet/protocol/delta-payload';
import { digestWeights } from '@freshet/protocol/digest';
import { FreshetError } from '@freshet/protocol/errors';
import { asWeightsVersion } from '@freshet/protocol/ids';
import { VALUE_FORMATS, type ValueFormat } from '@freshet/protocol/payload/value-format';
import fc from 'fast-check';
import { roundToGrid } from '../../trainer/core/round-values.ts';
import { ShadowPublisher } from '../../trainer/core/shadow-publisher.ts';
import type { Publication } from '../../trainer/core/sparsifiers/sparsifier.ts';
import '../support/seed.ts';
import { tinyModel } from '../support/tiny-model.ts';
import { assertSameBits, weightsOfBits } from '../support/weights.ts';

const NEXT = asWeightsVersion(2);
const finite = fc.float({ noNaN: true, noDefaultInfinity: true, min: -1e9, max: 1e9 });

const courses = fc.integer({ min: 1, max: 60 }).chain((count) => {
  const weights = fc.float32Array({
    minLength: count,
    maxLength: count,
    noNaN: true,
    noDefaultInfinity: true,
  });
  return fc.tuple(
    weights,
    fc.array(weights, { minLength: 1, maxLength: 6 }),
    fc.double({ min: 0.01, max: 1, noNaN: true }),
  );
});

const publisherOf = (initial: Float32Array, density: number, format: ValueFormat = 'f32') =>
  new ShadowPublisher(initial, tinyModel(initial.length), { density, formats: [format] });

/** Takes a publication as an agent does. */
function take(replica: Float32Array, { payload, changedCount }: Publication): void {
  const delta = decodeDeltaPayload(payload, replica, tinyModel(replica.length));
  assert.equal(delta.indices.length, changedCount);
  applyDelta(replica, delta);
}

describe('ShadowPublisher', () => {
  it('a replica holds exactly the weights whose root was published', () => {
    fc.assert(
      fc.property(courses, fc.constantFrom(...VALUE_FORMATS), ([initial, steps, density], format) => {
        const publisher = publisherOf(initial, density, format);
        const replica = initial.slice();
        for (const trained of steps) {
          const publication = publisher.publish(trained, NEXT);
          assert(publication.changedCount <= Math.max(1, Math.round(density * initial.length)));
          take(replica, publication);
          assert.equal(digestWeights(replica, tinyModel(replica.length).digest, NEXT), publication.root);
        }
      }),
    );
  });

  it('nothing is lost: once training stands still, repeated publishing ends at the trained weights', () => {
    fc.assert(
      fc.property(courses, ([initial, steps, density]) => {
        const publisher = publisherOf(initial, density);
        const replica = initial.slice();
        for (const trained of steps) take(replica, publisher.publish(trained, NEXT));
        const last = steps[steps.length - 1]!;
        for (let rest = initial.length; rest > 0; rest--) take(replica, publisher.publish(last, NEXT));
        assert.equal(publisher.publish(last, NEXT).changedCount, 0);
        // A difference too small for float32 to tell from 0 leaves −0 and +0 unlike in bits, equal in value.
        assert.deepEqual(
          [...replica].map((each) => each + 0),
          [...last].map((each) => each + 0),
        );
      }),
    );
  });

  it('on a grid as well: no weight gets further away, and all end as near as the grid allows', () => {
    // Small changes of numbers of any size: many are below a step of the grid, and a coarse first version is exact.
    const moves = fc.array(
      fc.tuple(fc.float({ noNaN: true, min: -1e4, max: 1e4 }), fc.float({ noNaN: true, min: -1, max: 1 })),
      { minLength: 1, maxLength: 60 },
    );
    const gridFormat = fc.constantFrom('f16' as const, 'bf16' as const);
    fc.assert(
      fc.property(
        moves,
        fc.double({ min: 0.01, max: 1, noNaN: true }),
        gridFormat,
        (drawn, density, format) => {
          const initial = Float32Array.from(drawn, ([value]) => value);
          const target = Float32Array.from(drawn, ([value, move]) => value * (1 + move / 1000));
          const publisher = publisherOf(initial, density, format);
          const replica = initial.slice();
          let distances = target.map((value, i) => Math.abs(value - replica[i]!));
          for (let rest = initial.length; rest > 0; rest--) {
            take(replica, publisher.publish(target, NEXT));
            const now = target.map((value, i) => Math.abs(value - replica[i]!));
            assert(now.every((distance, i) => distance <= distances[i]!));
            distances = now;
          }
          assert.equal(publisher.publish(target, NEXT).changedCount, 0);
          const bits = bitsOf(target);
          const nearest = weightsOfBits(Uint32Array.from(bits, (each) => roundToGrid(format, each)));
          assert(distances.every((distance, i) => distance <= Math.abs(target[i]! - nearest[i]!)));
        },
      ),
    );
  });

  it('refuses to publish weights that are not finite and leaves the shadow as it was', () => {
    fc.assert(
      fc.property(fc.array(finite, { minLength: 1, maxLength: 20 }), fc.nat(), (list, at) => {
        const initial = Float32Array.from(list);
        const publisher = publisherOf(initial, 1);
        const before = publisher.root(NEXT);
        const diverged = initial.slice();
        diverged[at % diverged.length] = Number.NaN;
        assert.throws(
          () => publisher.publish(diverged, NEXT),
          (error) => error instanceof FreshetError && error.code === 'LEARNER_DIVERGED',
        );
        assert.equal(publisher.root(NEXT), before);
      }),
    );
  });

  it('does not keep or change the arrays it is given', () => {
    const initial = Float32Array.of(1, 2, 3);
    const publisher = publisherOf(initial, 0.4);
    const trained = Float32Array.of(1, 2.5, 9);
    const { payload } = publisher.publish(trained, NEXT);
    assertSameBits(initial, Float32Array.of(1, 2, 3));
    assertSameBits(trained, Float32Array.of(1, 2.5, 9));
    const delta = decodeDeltaPayload(payload, initial, tinyModel(3));
    assert.deepEqual([...delta.indices], [2]); // 40 % of 3 weights is 1: the one that moved by 6
  });
});
