/** Laws of all history samplers: what they may draw, what they say that they gave up, and how they are taken up again. */
import { strict as assert } from 'node:assert';
import { describe, it } from 'node:test';
import { createRandom, restoreRandom } from '@freshet/trainer/core/random';
import { createSampler, restoreSampler, samplerSpecOf } from '@freshet/trainer/core/samplers/create-sampler';
import type { SamplerState } from '@freshet/trainer/core/samplers/history-sampler';
import { parseSampler } from '@freshet/trainer/core/samplers/sampler-option';
import fc from 'fast-check';
import { anySpec, anyStream, arrivalsOf, boundOf } from '../support/sampler-runs.ts';
import '../support/seed.ts';

const anySeed = fc.integer({ min: 0, max: 2 ** 31 - 1 });
const anyCount = fc.nat(60);
/** A state as a checkpoint or a file of JSON gives it back. */
const asJson = (state: SamplerState): SamplerState => JSON.parse(JSON.stringify(state));

describe('history samplers', () => {
  it('keep what was added less what add() gave back, which is exactly what has left', () => {
    fc.assert(
      fc.property(anySpec, anyStream, anySeed, (spec, stream, seed) => {
        const sampler = createSampler(spec);
        const random = createRandom(seed);
        const kept = new Set<number>();
        for (const [i, arrival] of arrivalsOf(stream).entries()) {
          const left = sampler.add(arrival, stream[i]!.label, random);
          kept.add(arrival);
          for (const each of left) assert.ok(kept.delete(each), `${each} left, and was not there`);
          assert.deepEqual([...sampler.all()], [...kept]);
          assert.equal(sampler.size, kept.size);
        }
      }),
    );
  });

  it('never keep more than their bound, and as many while there are so many', () => {
    fc.assert(
      fc.property(anySpec, anyStream, anySeed, (spec, stream, seed) => {
        const sampler = createSampler(spec);
        const random = createRandom(seed);
        const bound = boundOf(spec) ?? stream.length;
        for (const [i, arrival] of arrivalsOf(stream).entries()) {
          sampler.add(arrival, stream[i]!.label, random);
          assert.equal(sampler.size, Math.min(i + 1, bound));
        }
      }),
    );
  });

  it('draw different samples of history, as many as asked for or all', () => {
    fc.assert(
      fc.property(anySpec, anyStream, anySeed, anyCount, (spec, stream, seed, count) => {
        const sampler = createSampler(spec);
        const random = createRandom(seed);
        for (const [i, arrival] of arrivalsOf(stream).entries())
          sampler.add(arrival, stream[i]!.label, random);
        const before = sampler.state();
        const drawn = sampler.draw(count, random);
        assert.equal(drawn.length, Math.min(count, sampler.size));
        assert.equal(new Set(drawn).size, drawn.length);
        const all = new Set(sampler.all());
        assert.ok(drawn.every((arrival) => all.has(arrival)));
        assert.deepEqual(sampler.state(), before, 'a draw changes nothing');
      }),
    );
  });

  it('are taken up again at any point, to the same draws and the same state', () => {
    const scene = [anySpec, anyStream, anyStream, anySeed, fc.boolean()] as const;
    fc.assert(
      fc.property(...scene, (spec, before, after, seed, drops) => {
        const sampler = createSampler(spec);
        const random = createRandom(seed);
        const early = arrivalsOf(before);
        for (const [i, arrival] of early.entries()) sampler.add(arrival, before[i]!.label, random);
        if (drops) sampler.dropBelow(Math.floor((early.at(-1) ?? 0) / 2));
        const resumed = restoreSampler(asJson(sampler.state()));
        const resumedRandom = restoreRandom(random.state());
        assert.deepEqual(samplerSpecOf(resumed.state()), spec);
        for (const [i, arrival] of arrivalsOf(after, (early.at(-1) ?? -1) + 1).entries()) {
          const { label } = after[i]!;
          assert.deepEqual(resumed.add(arrival, label, resumedRandom), sampler.add(arrival, label, random));
          assert.deepEqual(resumed.draw(7, resumedRandom), sampler.draw(7, random));
        }
        assert.deepEqual(resumed.state(), sampler.state());
        assert.deepEqual(resumedRandom.state(), random.state());
      }),
    );
  });

  it('hand their state out as a value: nothing that happens later shows in it', () => {
    fc.assert(
      fc.property(anySpec, anyStream, anySeed, (spec, stream, seed) => {
        const sampler = createSampler(spec);
        const random = createRandom(seed);
        const arrivals = arrivalsOf(stream);
        for (const [i, arrival] of arrivals.entries()) sampler.add(arrival, stream[i]!.label, random);
        const state = sampler.state();
        const copy = asJson(state);
        const restored = restoreSampler(state);
        const next = (arrivals.at(-1) ?? -1) + 1;
        for (let i = 0; i < 50; i++) {
          sampler.add(next + i, 0, random);
          restored.add(next + i, 1, random);
        }
        assert.deepEqual(state, copy);
      }),
    );
  });

  it('never draw what lies below a drop, and everything else as before', () => {
    fc.assert(
      fc.property(anySpec, anyStream, anySeed, fc.nat(250), (spec, stream, seed, below) => {
        const sampler = createSampler(spec);
        const random = createRandom(seed);
        for (const [i, arrival] of arrivalsOf(stream).entries())
          sampler.add(arrival, stream[i]!.label, random);
        const expected = sampler.all().filter((arrival) => arrival >= below);
        sampler.dropBelow(below);
        assert.deepEqual(sampler.all(), expected);
        assert.equal(sampler.size, expected.length);
        assert.deepEqual(sampler.draw(1_000, random).sort(), expected);
        const bound = boundOf(spec);
        for (let i = 0; i < 60; i++) sampler.add(1_000 + i, i % 3, random);
        assert.ok(bound === null || sampler.size <= bound);
        assert.ok(sampler.all().every((arrival) => arrival >= below));
      }),
    );
  });

  it('are what their option says', () => {
    fc.assert(
      fc.property(anySpec, (spec) => {
        const numbers = 'count' in spec ? [spec.count] : 'halfLife' in spec ? [spec.halfLife] : [];
        const limit = 'limit' in spec && spec.limit !== null ? [spec.limit] : [];
        assert.deepEqual(parseSampler([spec.kind, ...numbers, ...limit].join(':')), spec);
      }),
    );
  });
});
