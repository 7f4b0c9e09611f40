/**
 * The store against a plain map of weights: random histories of snapshots, deltas, squashed, duplicated, misplaced and
 * damaged ones, pins, quarantines and restarts. After each step the head, what is to be served and some version, and
 * in the end every version, are bit for bit what the map says; what has to be kept is kept.
 */
import { strict as assert } from 'node:assert';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { WeightStore, type WeightStoreOptions } from '@freshet/edge-agent/store/weight-store';
import { applyDelta, diffWeights, type SparseDelta } from '@freshet/protocol/delta';
import { CHUNK_ELEMENTS } from '@freshet/protocol/digest';
import { FreshetError } from '@freshet/protocol/errors';
import { asRoot, asWeightsVersion, type WeightsVersion } from '@freshet/protocol/ids';
import type { Model } from '@freshet/protocol/model';
import fc from 'fast-check';
import '../support/seed.ts';
import { weightsAfter } from '../support/payloads.ts';
import { STORE_FILE } from '../support/store-directory.ts';
import { deltaBetween, LINE, type PublishedDelta, positionOf, tinyModel } from '../support/tiny-model.ts';
import { assertSameBits, deltaFor, floatBits, weightsOfBits } from '../support/weights.ts';

type Step =
  | { readonly kind: 'delta'; readonly change: SparseDelta; readonly skipped: number }
  | { readonly kind: 'snapshot'; readonly weights: Float32Array; readonly ahead: number }
  | { readonly kind: 'duplicate' | 'pin' | 'quarantine'; readonly pick: number }
  | { readonly kind: 'gap'; readonly change: SparseDelta; readonly distance: number }
  | { readonly kind: 'damaged'; readonly change: SparseDelta; readonly at: number; readonly bit: number }
  | { readonly kind: 'unpin' | 'reopen' | 'verify' };

interface Scenario {
  readonly elementCount: number;
  readonly snapshotEvery: number;
  readonly keepVersions: number;
  readonly steps: readonly Step[];
}

const pick = fc.nat({ max: 1000 });

function stepFor(elementCount: number): fc.Arbitrary<Step> {
  const change = deltaFor(elementCount);
  const weights = fc
    .array(floatBits, { minLength: Math.min(elementCount, 50), maxLength: Math.min(elementCount, 50) })
    .map((bits) => weightsOfBits(Array.from({ length: elementCount }, (_, i) => bits[i % bits.length]!)));
  return fc.oneof(
    { weight: 10, arbitrary: fc.record({ kind: fc.constant('delta'), change, skipped: fc.constant(0) }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('delta'), change, skipped: fc.nat({ max: 4 }) }) },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('snapshot'),
        weights,
        ahead: fc.integer({ min: -2, max: 5 }),
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('duplicate'), pick }) },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant('gap'), change, distance: fc.integer({ min: 1, max: 3 }) }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant('damaged'), change, at: pick, bit: fc.nat({ max: 7 }) }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('pin', 'quarantine'), pick }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('unpin', 'reopen', 'verify') }) },
  );
}

const scenario: fc.Arbitrary<Scenario> = fc
  .oneof(
    { weight: 8, arbitrary: fc.integer({ min: 1, max: 40 }) },
    { weight: 1, arbitrary: fc.constantFrom(CHUNK_ELEMENTS, 2 * CHUNK_ELEMENTS + 1) },
  )
  .chain((elementCount) =>
    fc.record({
      elementCount: fc.constant(elementCount),
      snapshotEvery: fc.integer({ min: 1, max: 6 }),
      keepVersions: fc.integer({ min: 1, max: 12 }),
      steps: fc.array(stepFor(elementCount), { minLength: 1, maxLength: 40 }),
    }),
  );

/** A version that the oracle has seen committed. */
interface Remembered {
  readonly weights: Float32Array;
  /** How it came, to send it again; null for a snapshot. */
  readonly delta: PublishedDelta | null;
  quarantined: boolean;
}

class Oracle {
  readonly model: Model;
  readonly committed = new Map<number, Remembered>();
  head = 0;
  pinned: number | null = null;

  constructor(elementCount: number) {
    this.model = tinyModel(elementCount);
  }

  get headWeights(): Float32Array {
    return this.committed.get(this.head)!.weights;
  }

  commit(version: number, weights: Float32Array, delta: PublishedDelta | null): void {
    this.committed.set(version, { weights, delta, quarantined: false });
    this.head = version;
  }

  /** The delta from the head to what `change` makes of it. */
  publish(change: SparseDelta, next: number): { delta: PublishedDelta; after: Float32Array } {
    const after = this.headWeights.slice();
    applyDelta(after, change);
    return { delta: deltaBetween(this.model, [this.head, this.headWeights], [next, after]), after };
  }

  /** Versions that retention may not touch. */
  required(keepVersions: number): number[] {
    const newest = [...this.committed.keys()].sort((left, right) => left - right).slice(-keepVersions);
    return this.pinned === null ? newest : [...new Set([this.pinned, ...newest])];
  }
}

function runStep(store: WeightStore, oracle: Oracle, step: Step): void {
  switch (step.kind) {
    case 'delta': {
      const next = oracle.head + 1 + step.skipped;
      const { delta, after } = oracle.publish(step.change, next);
      assert.equal(store.commitDelta(delta).kind, 'applied');
      oracle.commit(next, after, delta);
      return;
    }
    case 'snapshot': {
      const version = Math.max(1, oracle.head + step.ahead);
      const outcome = store.commitSnapshot(positionOf(oracle.model, version, step.weights), step.weights);
      if (step.ahead > 0) {
        assert.equal(outcome.kind, 'applied');
        oracle.commit(version, step.weights, null);
      } else {
        assert.notEqual(outcome.kind, 'applied');
      }
      return;
    }
    case 'duplicate': {
      const version = chooseVersion(store, step.pick);
      const { delta } = oracle.committed.get(version)!;
      if (delta !== null) assert.equal(store.commitDelta(delta).kind, 'duplicate');
      return;
    }
    case 'gap': {
      const { delta } = oracle.publish(step.change, oracle.head + step.distance + 1);
      const misplaced = { ...delta, base: asWeightsVersion(oracle.head + step.distance) };
      assert.deepEqual(store.commitDelta(misplaced), { kind: 'gap', head: store.head() });
      return;
    }
    case 'damaged': {
      const { delta, after } = oracle.publish(step.change, oracle.head + 1);
      const payload = delta.payload.slice();
      payload[step.at % payload.length]! ^= 1 << step.bit;
      // Some bits say nothing: the format of no change, or what fills the byte where symbols and raw bits meet.
      const damaged = weightsAfter(payload, oracle.headWeights, oracle.model);
      if (damaged === null || diffWeights(damaged, after).indices.length > 0) {
        assert.equal(store.commitDelta({ ...delta, payload }).kind, 'refused');
      }
      assert.equal(store.commitDelta({ ...delta, root: asRoot('5'.repeat(64)) }).kind, 'refused');
      return;
    }
    case 'pin':
      pin(store, oracle, step.pick);
      return;
    case 'quarantine': {
      const version = chooseVersion(store, step.pick);
      store.quarantine(version, 'chosen at random');
      oracle.committed.get(version)!.quarantined = true;
      if (oracle.pinned === version) oracle.pinned = null;
      return;
    }
    case 'unpin':
      store.unpin();
      oracle.pinned = null;
      return;
    case 'verify':
      assert.equal(store.verify().ok, true);
      return;
    case 'reopen':
      return;
  }
}

function chooseVersion(store: WeightStore, pick: number): WeightsVersion {
  const stored = store.versions();
  return stored[pick % stored.length]!.version;
}

/** Now and then a version that is not there. */
function pin(store: WeightStore, oracle: Oracle, pick: number): void {
  const version = pick % 7 === 0 ? asWeightsVersion(oracle.head + 1) : chooseVersion(store, pick);
  const known = oracle.committed.get(version);
  if (known !== undefined && !known.quarantined) {
    store.pin(version);
    oracle.pinned = version;
    return;
  }
  const code = known === undefined ? 'VERSION_UNKNOWN' : 'VERSION_QUARANTINED';
  assert.throws(
    () => store.pin(version),
    (error) => error instanceof FreshetError && error.code === code,
  );
}

function check(store: WeightStore, oracle: Oracle, keepVersions: number): void {
  assert.deepEqual(store.head(), positionOf(oracle.model, oracle.head, oracle.headWeights));
  assertSameBits(store.headWeights(), oracle.headWeights);
  assert.equal(store.pinned(), oracle.pinned);
  const stored = store.versions();
  const servable = stored.filter(({ version }) => !oracle.committed.get(version)!.quarantined);
  assert.equal(store.target()?.version, oracle.pinned ?? servable.at(-1)?.version);
  const listed = new Set<number>(stored.map(({ version }) => version));
  for (const version of oracle.required(keepVersions)) assert.ok(listed.has(version), `${version} is kept`);
  const some = stored[(oracle.head * 7) % stored.length]!.version;
  assertSameBits(store.weightsOf(some), oracle.committed.get(some)!.weights);
}

function checkAll(store: WeightStore, oracle: Oracle): void {
  for (const { version, root, state } of store.versions()) {
    const { weights, quarantined } = oracle.committed.get(version)!;
    assertSameBits(store.weightsOf(version), weights);
    assert.equal(root, positionOf(oracle.model, version, weights).root);
    assert.equal(state, quarantined ? 'quarantined' : 'ok');
  }
  assert.deepEqual(
    store.verify().versions.filter(({ ok }) => !ok),
    [],
  );
  assert.deepEqual(store.verify().integrityProblems, []);
}

it('gives back every version it keeps, bit for bit, whatever has happened', () => {
  const directory = mkdtempSync(join(tmpdir(), 'freshet-store-'));
  const path = join(directory, STORE_FILE);
  const run = ({ elementCount, snapshotEvery, keepVersions, steps }: Scenario): void => {
    const options: WeightStoreOptions = { clock: () => 0, snapshotEvery, keepVersions };
    const oracle = new Oracle(elementCount);
    let store = WeightStore.open(path, options);
    try {
      store.adoptModel(LINE, oracle.model);
      const initial = new Float32Array(elementCount).fill(-0);
      store.commitSnapshot(positionOf(oracle.model, 3, initial), initial);
      oracle.commit(3, initial, null);
      for (const step of steps) {
        runStep(store, oracle, step);
        if (step.kind === 'reopen') {
          store.close();
          store = WeightStore.open(path, options);
        }
        check(store, oracle, keepVersions);
      }
      checkAll(store, oracle);
      store.close();
      store = WeightStore.open(path, options);
      check(store, oracle, keepVersions);
      checkAll(store, oracle);
    } finally {
      store.close();
      rmSync(path);
    }
  };
  try {
    fc.assert(fc.property(scenario, run), { numRuns: 60 });
  } finally {
    rmSync(directory, { recursive: true });
  }
});
