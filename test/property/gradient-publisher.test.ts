/** The paper's sparse gradients: nothing is lost, k of each tensor are kept, and what they name is published. */
import { strict as assert } from 'node:assert';
import { describe, it } from 'node:test';
import { applyDelta } from '@freshet/protocol/delta';
import { decodeDeltaPayload } from '@freshet/protocol/delta-payload';
import { digestWeights } from '@freshet/protocol/digest';
import { asWeightsVersion } from '@freshet/protocol/ids';
import { createRandom } from '@freshet/trainer/core/random';
import { createSparsifier, parseSparsifier } from '@freshet/trainer/core/sparsifiers/create-sparsifier';
import type { SparsifierName, SparsifierState } from '@freshet/trainer/core/sparsifiers/sparsifier';
import fc from 'fast-check';
import { seededFloats } from '../support/numerics.ts';
import '../support/seed.ts';
import { modelOfShapes } from '../support/tiny-model.ts';
import { assertSameBits } from '../support/weights.ts';

const NEXT = asWeightsVersion(2);
/** The third tensor has no gradient, as BatchNorm's statistics. */
const MODEL = modelOfShapes([[40], [3, 5], [4], [1]]);
const TRAINABLE = [true, true, false, true];
const UNTRAINED = [55, 56, 57, 58];
const COUNT = MODEL.elementCount;

function sparsifierOf(name: SparsifierName, density: number, state: SparsifierState | null = null) {
  const formats = MODEL.tensors.map(() => 'f32' as const);
  return createSparsifier(
    { name, density, formats, trainable: TRAINABLE },
    seededFloats(COUNT, 1),
    MODEL,
    state,
  );
}

/** Whole numbers, whose sums are exact in float32, so that what is kept and what is left out must add up to the bit. */
function gradientOf(step: number): Float32Array {
  const gradient = seededFloats(COUNT, 100 + step).map((value) => Math.round(1000 * value));
  for (const index of UNTRAINED) gradient[index] = 0;
  return gradient;
}

const names = fc.constantFrom('gradient' as const, 'random-k' as const);
const densities = fc.constantFrom(0.0001, 0.1, 0.34, 1);

describe('sparse gradients', () => {
  it('what the optimiser got and what is remembered add up to all gradients', () => {
    fc.assert(
      fc.property(
        names,
        densities,
        fc.integer({ min: 1, max: 8 }),
        fc.integer(),
        (name, density, steps, seed) => {
          const sparsifier = sparsifierOf(name, density);
          const random = createRandom(seed);
          const sum = new Float32Array(COUNT);
          const kept = new Float32Array(COUNT);
          for (let step = 0; step < steps; step++) {
            const gradient = gradientOf(step);
            for (let i = 0; i < COUNT; i++) sum[i]! += gradient[i]!;
            sparsifier.gradientFilter!.filter(gradient, random);
            for (let i = 0; i < COUNT; i++) kept[i]! += gradient[i]!;
          }
          const state = sparsifier.state();
          assert.ok(state.name !== 'shadow');
          assert.deepEqual(
            [...state.memory].map((value, i) => value + kept[i]!),
            [...sum],
          );
        },
      ),
    );
  });

  it('keeps of each tensor its share rounded down, and one at least', () => {
    const sparsifier = sparsifierOf('gradient', 0.25);
    const gradient = gradientOf(0);
    const before = gradient.slice();
    sparsifier.gradientFilter!.filter(gradient, createRandom(1));
    for (const [tensor, count] of [10, 3, 0, 1].entries()) {
      const { elementOffset, elementCount } = MODEL.tensors[tensor]!;
      const positions = Array.from({ length: elementCount }, (_, i) => elementOffset + i);
      const kept = positions.filter((i) => gradient[i] !== 0);
      assert.equal(kept.length, count);
      const leftOut = positions.filter((i) => gradient[i] === 0).map((i) => Math.abs(before[i]!));
      assert.ok(kept.every((i) => gradient[i] === before[i]));
      assert.ok(kept.every((i) => Math.abs(before[i]!) >= Math.max(...leftOut)));
    }
  });

  it('random-k keeps whichever comes: all weights equally often', () => {
    // 3 of 15 in each of 3,000 draws. A count has mean 600 and deviation 22; 7 deviations come once in 10^11.
    const sparsifier = sparsifierOf('random-k', 0.2);
    const random = createRandom(5);
    const counts = new Uint32Array(15);
    for (let draw = 0; draw < 3000; draw++) {
      const gradient = new Float32Array(COUNT).fill(1, 40, 55);
      sparsifier.gradientFilter!.filter(gradient, random);
      for (let i = 0; i < 15; i++) if (gradient[40 + i] !== 0) counts[i]!++;
    }
    assert.equal(
      counts.reduce((sum, each) => sum + each, 0),
      9000,
    );
    for (const count of counts) assert.ok(Math.abs(count - 600) < 153, `${counts}`);
  });

  it('publishes what gradients have named since the last time, and all that has none; a replica holds the shadow', () => {
    fc.assert(
      fc.property(
        names,
        densities,
        fc.integer({ min: 1, max: 5 }),
        fc.integer(),
        (name, density, rounds, seed) => {
          const sparsifier = sparsifierOf(name, density);
          const random = createRandom(seed);
          const replica = sparsifier.shadow.slice();
          const trained = replica.slice();
          for (let round = 0; round < rounds; round++) {
            const expected = new Set(UNTRAINED);
            for (let step = 0; step < 2; step++) {
              const gradient = gradientOf(2 * round + step);
              sparsifier.gradientFilter!.filter(gradient, random);
              for (let i = 0; i < COUNT; i++) if (gradient[i] !== 0) expected.add(i);
            }
            // As with Adam, everything moves.
            for (let i = 0; i < COUNT; i++) trained[i]! += 1;
            const publication = sparsifier.publish(trained, NEXT);
            // random-k may name a weight whose gradient is 0.
            const published = new Set(publication.delta.indices);
            assert.ok([...expected].every((index) => published.has(index)));
            if (name === 'gradient') assert.equal(published.size, expected.size);
            applyDelta(replica, decodeDeltaPayload(publication.payload, replica, MODEL));
            assert.equal(digestWeights(replica, MODEL.digest, NEXT), publication.root);
            assertSameBits(replica, sparsifier.shadow);
            for (const index of published) assert.equal(replica[index], trained[index]);
          }
        },
      ),
    );
  });

  it('what was named stays so where nothing was sent: asking in vain changes nothing', () => {
    fc.assert(
      fc.property(names, densities, fc.integer(), (name, density, seed) => {
        const [asked, left] = [sparsifierOf(name, density), sparsifierOf(name, density)];
        for (const each of [asked, left]) each.gradientFilter!.filter(gradientOf(0), createRandom(seed));
        // A learning rate of 0: gradients have named weights, and none has moved.
        assert.equal(asked.publish(asked.shadow.slice(), NEXT).changedCount, 0);
        assert.deepEqual(asked.state(), left.state());
        const trained = seededFloats(COUNT, 2);
        assert.deepEqual(asked.publish(trained, NEXT).delta, left.publish(trained, NEXT).delta);
      }),
    );
  });

  it('goes on from its state as if it had not been interrupted', () => {
    fc.assert(
      fc.property(names, densities, fc.nat(6), fc.integer(), (name, density, cut, seed) => {
        const straight = sparsifierOf(name, density);
        const random = createRandom(seed);
        let resumed = straight;
        let resumedRandom = random;
        for (let step = 0; step < 7; step++) {
          if (step === cut) {
            resumed = sparsifierOf(name, density, structuredClone(straight.state()));
            resumedRandom = createRandom(seed);
            for (let past = 0; past < step; past++) {
              sparsifierOf(name, density).gradientFilter!.filter(gradientOf(past), resumedRandom);
            }
          }
          const gradients = [gradientOf(step), gradientOf(step)];
          straight.gradientFilter!.filter(gradients[0]!, random);
          if (resumed === straight) continue;
          resumed.gradientFilter!.filter(gradients[1]!, resumedRandom);
          assert.deepEqual(gradients[1], gradients[0]);
        }
        const trained = seededFloats(COUNT, 2);
        assert.deepEqual(resumed.state(), straight.state());
        assert.deepEqual(resumed.publish(trained, NEXT).delta, straight.publish(trained, NEXT).delta);
      }),
    );
  });

  it('a number that is none stops a publication, and what was named is published once it is mended', () => {
    const sparsifier = sparsifierOf('gradient', 0.1);
    sparsifier.gradientFilter!.filter(gradientOf(0), createRandom(1));
    const before = sparsifier.root(NEXT);
    const trained = seededFloats(COUNT, 3);
    const diverged = trained.slice();
    diverged[7] = Number.NEGATIVE_INFINITY;
    assert.throws(() => sparsifier.publish(diverged, NEXT), {
      code: 'LEARNER_DIVERGED',
      message: /weight 7 is -Inf/,
    });
    assert.equal(sparsifier.root(NEXT), before);
    // 4 of 40, 1 of 15, 1 of 1, and the 4 without a gradient.
    assert.equal(sparsifier.publish(trained, NEXT).changedCount, 10);
    assert.deepEqual([...sparsifier.publish(trained, NEXT).delta.indices], []);
  });

  it('refuses the state of another sparsifier or model', () => {
    const state = sparsifierOf('gradient', 0.1).state();
    for (const name of ['shadow', 'random-k'] as const) {
      assert.throws(() => sparsifierOf(name, 0.1, state), {
        code: 'CONFIG_INVALID',
        message: new RegExp(
          `the sparsifier of the checkpoint is gradient, the one asked for ${name}: ask for gradient`,
        ),
      });
    }
    assert.throws(() => sparsifierOf('gradient', 0.1, { name: 'shadow' }), { code: 'CONFIG_INVALID' });
    const foreign = { name: 'gradient', memory: new Float32Array(3), touched: new Uint32Array(0) } as const;
    assert.throws(() => sparsifierOf('gradient', 0.1, foreign), {
      code: 'MODEL_MISMATCH',
      message: /for 3 weights/,
    });
    assert.equal(sparsifierOf('shadow', 0.1, { name: 'shadow' }).gradientFilter, null);
  });

  it('is read from what a person writes', () => {
    assert.equal(parseSparsifier('random-k'), 'random-k');
    assert.throws(() => parseSparsifier('topk'), {
      code: 'CONFIG_INVALID',
      message: '--sparsifier topk: write shadow, gradient or random-k',
    });
  });
});
