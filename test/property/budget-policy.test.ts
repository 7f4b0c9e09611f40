/**
 * A byte budget holds whatever deltas turn out to cost. The encoder is simulated: what a value costs drifts from delta to
 * delta, as the residual and the density change; step times and what there is to publish vary as well. The policy is the
 * real one, and sees of all that only what it is told afterwards.
 */
import { strict as assert } from 'node:assert';
import { describe, it } from 'node:test';
import { createPublishPolicy } from '@freshet/trainer/core/publish-policy/create-policy';
import { createRandom } from '@freshet/trainer/core/random';
import { unitReal } from '@freshet/trainer/core/samplers/unit-real';
import fc from 'fast-check';
import '../support/seed.ts';

const BURST_MS = 2_000;
const WEIGHT_COUNT = 5_000_000;
/** From values of four bits at close positions to exact ones far apart. */
const VALUE_BYTES = { min: 0.7, max: 6 };

interface Scene {
  readonly bytesPerSecond: number;
  readonly fixedBytes: number;
  /** Steps take a random time up to this. */
  readonly stepMsMax: number;
  /** Largest factor between what a value costs in two deltas in a row. */
  readonly driftMax: number;
  /** Share of what the policy asks for that differs at all; 1: there is always enough to publish. */
  readonly supply: number;
  readonly seed: number;
}

interface SentDelta {
  readonly atMs: number;
  readonly bytes: number;
  /** What the policy took from the bucket for it beyond what was there. */
  readonly overdrawn: number;
}

const anyScene = (driftMax: number, supply: fc.Arbitrary<number>): fc.Arbitrary<Scene> =>
  fc.record({
    bytesPerSecond: fc.integer({ min: 500, max: 500_000 }),
    fixedBytes: fc.integer({ min: 40, max: 300 }),
    stepMsMax: fc.integer({ min: 5, max: 900 }),
    driftMax: fc.constant(driftMax),
    supply,
    seed: fc.nat(),
  });

/** Trains for `seconds` of simulated time. */
function simulate(scene: Scene, seconds: number): SentDelta[] {
  const random = createRandom(scene.seed);
  const spec = { kind: 'budget' as const, bytesPerSecond: scene.bytesPerSecond, burstMs: BURST_MS };
  const sizes = { weightCount: WEIGHT_COUNT, fixedBytes: scene.fixedBytes, density: 1 };
  const policy = createPublishPolicy(spec, sizes, 0);
  const sent: SentDelta[] = [];
  let valueBytes = VALUE_BYTES.min + (VALUE_BYTES.max - VALUE_BYTES.min) * unitReal(random);
  let nowMs = 0;
  for (let step = 1; nowMs < seconds * 1000; step++) {
    nowMs += 1 + unitReal(random) * scene.stepMsMax;
    const density = policy.due({ step, nowMs });
    if (density === null) continue;
    const asked = Math.round(density * WEIGHT_COUNT);
    const changedCount = Math.floor(asked * (scene.supply === 1 ? 1 : scene.supply * unitReal(random)));
    const bytes = changedCount === 0 ? 0 : Math.ceil(scene.fixedBytes + changedCount * valueBytes);
    policy.published({ step, nowMs, changedCount, bytes });
    const left = policy.state();
    assert.ok(left.kind === 'budget');
    sent.push({ atMs: nowMs, bytes, overdrawn: Math.max(0, -left.bytes) });
    valueBytes *= scene.driftMax ** (2 * unitReal(random) - 1);
    valueBytes = Math.min(VALUE_BYTES.max, Math.max(VALUE_BYTES.min, valueBytes));
  }
  return sent;
}

/** The most bytes, over all windows of time, beyond what the rate gives in them. */
function excessMax(sent: readonly SentDelta[], bytesPerSecond: number): number {
  // Kadane's scan: the best window that ends here is this delta alone, or it and the best one before it.
  let excess = Number.NEGATIVE_INFINITY;
  let best = Number.NEGATIVE_INFINITY;
  for (const [i, { atMs, bytes }] of sent.entries()) {
    const sinceMs = i === 0 ? 0 : atMs - sent[i - 1]!.atMs;
    excess = bytes + Math.max(0, excess - (bytesPerSecond * sinceMs) / 1000);
    best = Math.max(best, excess);
  }
  return best;
}

const totalBytes = (sent: readonly SentDelta[]): number => sent.reduce((sum, { bytes }) => sum + bytes, 0);

/** What the bucket holds at most: the burst, or two deltas of the least size worth sending. */
const bucketBytes = ({ bytesPerSecond, fixedBytes }: Scene): number =>
  Math.max((bytesPerSecond * BURST_MS) / 1000, 20 * fixedBytes);

describe('a byte budget', () => {
  it('is kept in every window, up to its burst, while costs change by up to 3 % from delta to delta', () => {
    fc.assert(
      fc.property(anyScene(1.03, fc.constant(1)), (scene) => {
        const sent = simulate(scene, 120);
        // One byte, because deltas consist of whole ones.
        assert.ok(sent.every(({ overdrawn }) => overdrawn <= 1));
        assert.ok(excessMax(sent, scene.bytesPerSecond) <= bucketBytes(scene) + 1 + 1e-6);
      }),
    );
  });

  it('is exceeded by no more than one misjudged delta while costs jump', () => {
    fc.assert(
      fc.property(anyScene(3, fc.constantFrom(1, 0.9, 0.1)), (scene) => {
        const sent = simulate(scene, 120);
        const misjudged = Math.max(0, ...sent.map(({ overdrawn }) => overdrawn));
        assert.ok(excessMax(sent, scene.bytesPerSecond) <= bucketBytes(scene) + misjudged + 1e-6);
        const lastMs = sent.at(-1)?.atMs ?? 0;
        assert.ok(totalBytes(sent) <= (scene.bytesPerSecond * lastMs) / 1000 + misjudged + 1e-6);
      }),
    );
  });

  it('is used up while there is something to publish', () => {
    fc.assert(
      fc.property(anyScene(1.03, fc.constant(1)), (scene) => {
        const seconds = 120;
        const sent = simulate(scene, seconds);
        // What is left is in the bucket at the end.
        const given = scene.bytesPerSecond * seconds - bucketBytes(scene);
        assert.ok(totalBytes(sent) >= 0.95 * given, `${totalBytes(sent)} of ${given} bytes`);
      }),
    );
  });

  it('goes to frames for a tenth at most, however small it is', () => {
    fc.assert(
      fc.property(anyScene(1.03, fc.constant(1)), (scene) => {
        const sent = simulate({ ...scene, bytesPerSecond: 20 + (scene.seed % 200) }, 3_000);
        // The first delta is small: its values are thought to cost more than they do.
        const settled = sent.slice(1);
        const frames = settled.length * scene.fixedBytes;
        assert.ok(frames <= 0.12 * totalBytes(settled), `${frames} of ${totalBytes(settled)} bytes`);
      }),
      { numRuns: 30 },
    );
  });
});
