/** A replica that applies every publication holds the shadow, and reaches the trained weights once training stops. */
import { strict as assert } from 'node:assert';
import { describe, it } from 'node:test';
import { applyDelta } from '@freshet/protocol/delta';
import { digestWeights } from '@freshet/protocol/digest';
import { FreshetError } from '@freshet/protocol/errors';
import { asModelDigest, asWeightsVersion } from '@freshet/protocol/ids';
import fc from 'fast-check';
import { ShadowPublisher } from '../../trainer/core/shadow-publisher.ts';
import '../support/seed.ts';
import { assertSameBits } from '../support/weights.ts';

const MODEL = asModelDigest('ab'.repeat(32));
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

describe('ShadowPublisher', () => {
  it('a replica holds exactly the weights whose root was published', () => {
    fc.assert(
      fc.property(courses, ([initial, steps, density]) => {
        const publisher = new ShadowPublisher(initial, MODEL, density);
        const replica = initial.slice();
        for (const trained of steps) {
          const { delta, root } = publisher.publish(trained, NEXT);
          assert(delta.indices.length <= Math.max(1, Math.round(density * initial.length)));
          applyDelta(replica, delta);
          assert.equal(digestWeights(replica, MODEL, NEXT), root);
        }
      }),
    );
  });

  it('nothing is lost: once training stands still, repeated publishing ends at the trained weights', () => {
    fc.assert(
      fc.property(courses, ([initial, steps, density]) => {
        const publisher = new ShadowPublisher(initial, MODEL, density);
        const replica = initial.slice();
        for (const trained of steps) applyDelta(replica, publisher.publish(trained, NEXT).delta);
        const last = steps[steps.length - 1]!;
        for (let rest = initial.length; rest > 0; rest--)
          applyDelta(replica, publisher.publish(last, NEXT).delta);
        assert.equal(publisher.publish(last, NEXT).delta.indices.length, 0);
        // A difference too small for float32 to tell from 0 leaves −0 and +0 unlike in bits, equal in value.
        assert.deepEqual(
          [...replica].map((each) => each + 0),
          [...last].map((each) => each + 0),
        );
      }),
    );
  });

  it('refuses to publish weights that are not finite and leaves the shadow as it was', () => {
    fc.assert(
      fc.property(fc.array(finite, { minLength: 1, maxLength: 20 }), fc.nat(), (list, at) => {
        const initial = Float32Array.from(list);
        const publisher = new ShadowPublisher(initial, MODEL, 1);
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
    const publisher = new ShadowPublisher(initial, MODEL, 0.4);
    const trained = Float32Array.of(1, 2.5, 9);
    const { delta } = publisher.publish(trained, NEXT);
    assertSameBits(initial, Float32Array.of(1, 2, 3));
    assertSameBits(trained, Float32Array.of(1, 2.5, 9));
    assert.deepEqual([...delta.indices], [2]); // 40 % of 3 weights is 1: the one that moved by 6
  });
});
