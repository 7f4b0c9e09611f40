/** The device's version store on a real SQLite file: what it takes, what it refuses, what it can give back. */
import { strict as assert } from 'node:assert';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { WeightStore, type WeightStoreOptions } from '@freshet/edge-agent/store/weight-store';
import { encodeDeltaPayload } from '@freshet/protocol/delta-payload';
import { type ErrorCode, FreshetError } from '@freshet/protocol/errors';
import { asLineId, asRoot, asWeightsVersion } from '@freshet/protocol/ids';
import type { Model } from '@freshet/protocol/model';
import Database from 'better-sqlite3';
import { withOtherValue } from '../support/payloads.ts';
import { STORE_FILE, storeDirectory } from '../support/store-directory.ts';
import {
  deltaBetween,
  LINE,
  modelOfShapes,
  nextSyntheticWeights,
  positionOf,
  syntheticWeights,
  tinyModel,
} from '../support/tiny-model.ts';
import { assertSameBits, weightsOfBits } from '../support/weights.ts';

const CHANGED_COUNT = 5;
const ELEMENT_COUNT = 40;
const MODEL = tinyModel(ELEMENT_COUNT);
const v = asWeightsVersion;

const weightsAt = (version: number): Float32Array => syntheticWeights(ELEMENT_COUNT, version, CHANGED_COUNT);
const positionAt = (version: number) => positionOf(MODEL, version, weightsAt(version));
const deltaTo = (next: number, base = next - 1) =>
  deltaBetween(MODEL, [base, weightsAt(base)], [next, weightsAt(next)]);

const hasCode = (code: ErrorCode, message?: RegExp) => (error: unknown) => {
  assert.ok(error instanceof FreshetError, String(error));
  assert.equal(error.code, code);
  assert.doesNotMatch(error.message, /\n/, 'one line');
  if (message !== undefined) assert.match(error.message, message);
  return true;
};

interface Fixture {
  readonly path: string;
  store: WeightStore;
  /** Closes the store and opens it anew. */
  reopen(options?: Partial<WeightStoreOptions>): WeightStore;
  /** Closes the store, lets `action` loose on its file, and leaves it closed. */
  damage(action: (database: Database.Database) => void): void;
}

function fixture(t: TestContext, options: Partial<WeightStoreOptions> = {}): Fixture {
  const path = join(storeDirectory(t), STORE_FILE);
  let now = 1_000;
  const open = (more?: Partial<WeightStoreOptions>) =>
    WeightStore.open(path, { clock: () => now++, ...options, ...more });
  const result: Fixture = {
    path,
    store: open(),
    reopen: (more) => {
      result.store.close();
      result.store = open(more);
      return result.store;
    },
    damage: (action) => {
      result.store.close();
      const database = new Database(path);
      action(database);
      database.close();
    },
  };
  t.after(() => result.store.close());
  return result;
}

/** A store with version `first` as a snapshot and deltas up to `last`. */
function filled(t: TestContext, first: number, last: number, options?: Partial<WeightStoreOptions>): Fixture {
  const made = fixture(t, options);
  made.store.adoptModel(LINE, MODEL);
  assert.equal(made.store.commitSnapshot(positionAt(first), weightsAt(first)).kind, 'applied');
  extend(made.store, first + 1, last);
  return made;
}

function extend(store: WeightStore, from: number, to: number): void {
  for (let next = from; next <= to; next++) assert.equal(store.commitDelta(deltaTo(next)).kind, 'applied');
}

const listed = (store: WeightStore): number[] => store.versions().map(({ version }) => version);

function assertRestoresAll(store: WeightStore): void {
  for (const { version } of store.versions()) assertSameBits(store.weightsOf(version), weightsAt(version));
  assert.deepEqual(
    store.verify().versions.flatMap(({ problems }) => problems),
    [],
  );
  assert.equal(store.verify().ok, true);
}

describe('empty store', () => {
  it('has nothing, and says so', (t) => {
    const { store } = fixture(t);
    assert.equal(store.identity, null);
    assert.equal(store.head(), null);
    assert.equal(store.pinned(), null);
    assert.equal(store.target(), null);
    assert.deepEqual(store.versions(), []);
    assert.equal(store.lastCommandId(), 0);
    assert.deepEqual(store.verify(), { ok: true, integrityProblems: [], versions: [] });
    assert.throws(() => store.weightsOf(v(1)), hasCode('VERSION_UNKNOWN', /version 1 .* the store is empty/));
  });

  it('answers a delta with a gap', (t) => {
    const { store } = fixture(t);
    store.adoptModel(LINE, MODEL);
    assert.deepEqual(store.commitDelta(deltaTo(2)), { kind: 'gap', head: null });
  });
});

describe('identity', () => {
  it('is kept as it was given', (t) => {
    const made = fixture(t);
    const model = modelOfShapes([[2, 3, 1], [], [0, 4], [7]]);
    made.store.adoptModel(LINE, model);
    assert.deepEqual(made.reopen().identity, { lineId: LINE, model });
    made.store.adoptModel(LINE, model);
  });

  it('refuses another line and another model, and says what to do', (t) => {
    const { store } = filled(t, 1, 2);
    const otherLine = asLineId('f'.repeat(32));
    assert.throws(
      () => store.adoptModel(otherLine, MODEL),
      hasCode('LINE_MISMATCH', /another --state directory/),
    );
    const otherModel: Model = tinyModel(ELEMENT_COUNT, 1);
    assert.throws(
      () => store.adoptModel(LINE, otherModel),
      hasCode('MODEL_MISMATCH', /another --state directory/),
    );
    assert.deepEqual(store.identity, { lineId: LINE, model: MODEL });
  });
});

describe('commit', () => {
  it('stores snapshot and deltas for good', (t) => {
    const made = filled(t, 1, 7, { snapshotEvery: 3 });
    const check = (store: WeightStore): void => {
      assert.deepEqual(store.head(), positionAt(7));
      assertSameBits(store.headWeights(), weightsAt(7));
      assert.deepEqual(store.target(), positionAt(7));
      assertRestoresAll(store);
    };
    check(made.store);
    const before = made.store.versions();
    check(made.reopen());
    assert.deepEqual(made.store.versions(), before);
    extend(made.store, 8, 9);
    assertRestoresAll(made.store);
  });

  it('describes the versions', (t) => {
    const { store } = filled(t, 1, 4, { snapshotEvery: 2 });
    const delta = deltaTo(3);
    assert.deepEqual(store.versions()[2], {
      version: 3,
      root: delta.root,
      base: 2,
      kind: 'delta',
      bytes: delta.payload.length,
      receivedAtMs: 1_002,
      changedCount: delta.payload[1],
      state: 'ok',
      reason: null,
      hasSnapshot: true,
    });
    assert.deepEqual(store.versions()[0], {
      version: 1,
      root: positionAt(1).root,
      base: null,
      kind: 'snapshot',
      bytes: 4 * ELEMENT_COUNT,
      receivedAtMs: 1_000,
      changedCount: ELEMENT_COUNT,
      state: 'ok',
      reason: null,
      hasSnapshot: true,
    });
    assert.deepEqual(
      store.versions().map(({ hasSnapshot }) => hasSnapshot),
      [true, false, true, false],
    );
  });

  it('gives the delta it applied', (t) => {
    const { store } = filled(t, 1, 1);
    const received = deltaTo(2);
    const outcome = store.commitDelta(received);
    assert.ok(outcome.kind === 'applied');
    assert.deepEqual(encodeDeltaPayload(outcome.delta, weightsAt(1), MODEL), received.payload);
  });

  it('takes squashed deltas, and one without a change', (t) => {
    const made = filled(t, 1, 2);
    assert.equal(made.store.commitDelta(deltaTo(6, 2)).kind, 'applied');
    const unchanged = deltaBetween(MODEL, [6, weightsAt(6)], [7, weightsAt(6)]);
    assert.equal(made.store.commitDelta(unchanged).kind, 'applied');
    assert.deepEqual(listed(made.reopen()), [1, 2, 6, 7]);
    assertSameBits(made.store.weightsOf(v(7)), weightsAt(6));
    assertSameBits(made.store.weightsOf(v(2)), weightsAt(2));
    assert.throws(
      () => made.store.weightsOf(v(4)),
      hasCode('VERSION_UNKNOWN', /version 4 .* one of the 4 from 1 to 7/),
    );
  });

  it('tells a duplicate from a gap', (t) => {
    const { store } = filled(t, 1, 3);
    assert.deepEqual(store.commitDelta(deltaTo(3)), { kind: 'duplicate' });
    assert.deepEqual(store.commitDelta(deltaTo(2)), { kind: 'duplicate' });
    assert.deepEqual(store.commitDelta(deltaTo(3, 1)), { kind: 'duplicate' });
    const gap = { kind: 'gap', head: positionAt(3) };
    assert.deepEqual(store.commitDelta(deltaTo(5)), gap);
    assert.deepEqual(store.commitDelta({ ...deltaTo(3), base: v(1), root: asRoot('0'.repeat(64)) }), gap);
    assert.deepEqual(listed(store), [1, 2, 3]);
  });

  it('refuses what leads to another root and stays where it was', (t) => {
    const made = filled(t, 1, 3);
    const right = deltaTo(4);
    const cases: [ErrorCode, typeof right][] = [
      ['ROOT_MISMATCH', { ...right, payload: withOtherValue(right.payload, weightsAt(3), MODEL) }],
      ['ROOT_MISMATCH', { ...deltaTo(4), root: asRoot('0'.repeat(64)) }],
      ['DELTA_MALFORMED', { ...deltaTo(4), payload: deltaTo(4).payload.subarray(1) }],
      ['DELTA_MALFORMED', { ...deltaTo(4), payload: new Uint8Array(0) }],
      ['DELTA_MALFORMED', { ...deltaTo(4), next: v(3) }],
    ];
    for (const [code, delta] of cases) {
      const outcome = made.store.commitDelta(delta);
      assert.ok(outcome.kind === 'refused');
      hasCode(code)(outcome.error);
      assert.deepEqual(made.store.head(), positionAt(3));
      assertSameBits(made.store.headWeights(), weightsAt(3));
    }
    assert.deepEqual(listed(made.reopen()), [1, 2, 3]);
    extend(made.store, 4, 4);
    assertRestoresAll(made.store);
  });

  it('keeps NaN payloads and negative zero', (t) => {
    const odd = [0x7fc0_0001, 0xffa0_1234, 0x7f80_0001, 0x8000_0000, 0, 1, 0xff80_0000];
    const model = tinyModel(odd.length);
    const before = weightsOfBits(odd);
    const after = weightsOfBits([...odd].reverse());
    const made = fixture(t);
    made.store.adoptModel(LINE, model);
    made.store.commitSnapshot(positionOf(model, 1, before), before);
    made.store.commitDelta(deltaBetween(model, [1, before], [2, after]));
    assertSameBits(made.store.weightsOf(v(1)), before);
    assertSameBits(made.reopen().headWeights(), after);
    assertSameBits(made.store.weightsOf(v(1)), before);
  });

  it('stores a snapshot of several pieces', (t) => {
    const elementCount = 600_000;
    const model = tinyModel(elementCount);
    const weights = syntheticWeights(elementCount, 1, 50_000);
    const made = fixture(t);
    made.store.adoptModel(LINE, model);
    made.store.commitSnapshot(positionOf(model, 1, weights), weights);
    assertSameBits(made.reopen().headWeights(), weights);
    assert.equal(made.store.verify().ok, true);
  });

  it('takes a model without weights', (t) => {
    const model = tinyModel(0);
    const weights = new Float32Array(0);
    const made = fixture(t);
    made.store.adoptModel(LINE, model);
    assert.equal(made.store.commitSnapshot(positionOf(model, 1, weights), weights).kind, 'applied');
    assert.deepEqual(made.reopen().head(), positionOf(model, 1, weights));
  });

  it('does not keep the memory it was given', (t) => {
    const { store } = fixture(t);
    store.adoptModel(LINE, MODEL);
    const weights = weightsAt(1);
    store.commitSnapshot(positionAt(1), weights);
    weights.fill(7);
    store.weightsOf(v(1)).fill(8);
    assertSameBits(store.headWeights(), weightsAt(1));
  });
});

describe('snapshot over a store with versions', () => {
  it('jumps ahead and keeps the way back', (t) => {
    const made = filled(t, 1, 5, { snapshotEvery: 2 });
    assert.equal(made.store.commitSnapshot(positionAt(20), weightsAt(20)).kind, 'applied');
    extend(made.store, 21, 22);
    assert.equal(made.store.commitSnapshot(positionAt(30), weightsAt(30)).kind, 'applied');
    assertRestoresAll(made.store);
    assertRestoresAll(made.reopen());
    assert.deepEqual(listed(made.store), [1, 2, 3, 4, 5, 20, 21, 22, 30]);
    assert.deepEqual(made.store.head(), positionAt(30));
  });

  it('keeps the end of the older chain reachable when its beginning is pruned', (t) => {
    const made = filled(t, 1, 5, { keepVersions: 6 });
    made.store.commitSnapshot(positionAt(20), weightsAt(20));
    extend(made.store, 21, 23);
    assert.deepEqual(listed(made.store), [4, 5, 20, 21, 22, 23]);
    assertRestoresAll(made.reopen());
  });

  it('is a duplicate, or refused, unless it is newer and right', (t) => {
    const { store } = filled(t, 1, 3);
    assert.deepEqual(store.commitSnapshot(positionAt(3), weightsAt(3)), { kind: 'duplicate' });
    const cases: [ErrorCode, ReturnType<WeightStore['commitSnapshot']>][] = [
      ['BASE_MISMATCH', store.commitSnapshot(positionAt(2), weightsAt(2))],
      ['ROOT_MISMATCH', store.commitSnapshot(positionOf(MODEL, 3, weightsAt(4)), weightsAt(4))],
      ['ROOT_MISMATCH', store.commitSnapshot(positionAt(4), weightsAt(5))],
      ['SNAPSHOT_MALFORMED', store.commitSnapshot(positionAt(4), weightsAt(4).subarray(1))],
    ];
    for (const [code, outcome] of cases) {
      assert.ok(outcome.kind === 'refused');
      hasCode(code)(outcome.error);
    }
    assert.deepEqual(listed(store), [1, 2, 3]);
    extend(store, 4, 4);
  });
});

describe('retention', () => {
  it('keeps the newest versions and what leads to them', (t) => {
    const made = filled(t, 1, 30, { snapshotEvery: 4, keepVersions: 10 });
    assert.deepEqual(listed(made.store), [21, 22, 23, 24, 25, 26, 27, 28, 29, 30]);
    assertRestoresAll(made.store);
    assertRestoresAll(made.reopen());
  });

  it('keeps the keyframe that the head is restored from', (t) => {
    const made = filled(t, 1, 19, { snapshotEvery: 8, keepVersions: 2 });
    assert.deepEqual(listed(made.store), [17, 18, 19]);
    assertRestoresAll(made.reopen());
    extend(made.store, 20, 24);
    assert.deepEqual(listed(made.store)[0], 17);
    assertRestoresAll(made.reopen());
  });

  it('keeps a pinned version among pruned ones, until it is unpinned', (t) => {
    const made = filled(t, 1, 6, { snapshotEvery: 5, keepVersions: 4 });
    made.store.pin(v(4));
    extend(made.store, 7, 20);
    assert.deepEqual(listed(made.store), [4, 16, 17, 18, 19, 20]);
    assertRestoresAll(made.reopen());
    assert.deepEqual(made.store.target(), positionAt(4));
    made.store.unpin();
    assertRestoresAll(made.store);
    extend(made.store, 21, 22);
    assert.deepEqual(
      listed(made.store),
      [19, 20, 21, 22]
        .filter((version) => version >= 19)
        .concat()
        .sort(),
    );
    assertRestoresAll(made.reopen());
  });

  it('drops the snapshot of a pin with the pin', (t) => {
    const { store } = filled(t, 1, 9, { snapshotEvery: 100 });
    const withSnapshot = (): number[] =>
      store.versions().flatMap(({ version, hasSnapshot }) => (hasSnapshot ? [version] : []));
    for (const version of [3, 5, 9, 1, 4]) store.pin(v(version));
    assert.deepEqual(withSnapshot(), [1, 4]);
    store.unpin();
    assert.deepEqual(withSnapshot(), [1]);
    assertRestoresAll(store);
  });

  it('drops a few versions at a time after being told to keep fewer', (t) => {
    const made = filled(t, 1, 20, { snapshotEvery: 3 });
    const store = made.reopen({ keepVersions: 2, snapshotEvery: 3 });
    assert.equal(listed(store).length, 20);
    extend(store, 21, 21);
    assert.equal(listed(store).length, 17);
    extend(store, 22, 30);
    assert.ok(listed(store).length <= 4);
    assertRestoresAll(store);
  });
});

describe('pin, quarantine and target', () => {
  it('pins, serves the pinned version while new ones arrive, and follows again', (t) => {
    const made = filled(t, 1, 5);
    made.store.pin(v(2));
    extend(made.store, 6, 7);
    assert.equal(made.reopen().pinned(), 2);
    assert.deepEqual(made.store.target(), positionAt(2));
    assert.deepEqual(made.store.head(), positionAt(7));
    made.store.unpin();
    assert.equal(made.reopen().pinned(), null);
    assert.deepEqual(made.store.target(), positionAt(7));
    made.store.unpin();
  });

  it('refuses unknown and quarantined versions and changes nothing', (t) => {
    const { store } = filled(t, 1, 5);
    store.pin(v(2));
    store.quarantine(v(4), 'NaN in the output');
    assert.throws(() => store.pin(v(9)), hasCode('VERSION_UNKNOWN', /5 from 1 to 5/));
    assert.throws(() => store.pin(v(4)), hasCode('VERSION_QUARANTINED', /NaN in the output/));
    assert.throws(() => store.quarantine(v(9), 'why'), hasCode('VERSION_UNKNOWN'));
    assert.equal(store.pinned(), 2);
  });

  it('never targets a quarantined version', (t) => {
    const made = filled(t, 1, 5);
    made.store.quarantine(v(5), 'norm jumps');
    made.store.quarantine(v(4), 'norm jumps');
    assert.deepEqual(made.reopen().target(), positionAt(3));
    assert.deepEqual(made.store.versions().map(({ state, reason }) => [state, reason])[4], [
      'quarantined',
      'norm jumps',
    ]);
    extend(made.store, 6, 6);
    assert.deepEqual(made.store.target(), positionAt(6));
    made.store.pin(v(2));
    made.store.quarantine(v(2), 'too late');
    assert.equal(made.store.pinned(), null);
    assert.deepEqual(made.store.target(), positionAt(6));
    for (const version of [1, 3, 6]) made.store.quarantine(v(version), 'all');
    assert.equal(made.store.target(), null);
    assertRestoresAll(made.store);
  });

  it('remembers the last command', (t) => {
    const made = fixture(t);
    made.store.setLastCommandId(17);
    assert.equal(made.reopen().lastCommandId(), 17);
  });
});

describe('damage inside the file', () => {
  /** `base`: the version whose weights the payload is for. */
  const changeValue =
    (part: 'payload' | 'undo', version: number, base: number) => (database: Database.Database) => {
      const where = `WHERE version = ${version}`;
      const payload = database.prepare<[], Buffer>(`SELECT ${part} FROM deltas ${where}`).pluck().get()!;
      const damaged = withOtherValue(payload, weightsAt(base), MODEL);
      database.prepare(`UPDATE deltas SET ${part} = ? ${where}`).run(damaged);
    };
  const flipLastByteOfSnapshot = (version: number) => (database: Database.Database) => {
    const where = `WHERE version = ${version}`;
    const bytes = database.prepare<[], Buffer>(`SELECT bytes FROM snapshot_chunks ${where}`).pluck().get()!;
    bytes[bytes.length - 1]! ^= 1;
    database.prepare(`UPDATE snapshot_chunks SET bytes = ? ${where}`).run(bytes);
  };
  const problemsOf = (store: WeightStore): [number, string][] =>
    store.verify().versions.flatMap(({ version, ok, problems }) => {
      assert.equal(ok, problems.length === 0);
      return problems.map((problem): [number, string] => [version, problem]);
    });

  it('in an undo record is found, and the other way taken where there is one', (t) => {
    const made = filled(t, 1, 9, { snapshotEvery: 3 });
    made.damage(changeValue('undo', 9, 9));
    made.store = WeightStore.open(made.path, { clock: Date.now });
    assert.equal(made.store.verify().ok, false);
    assert.deepEqual(problemsOf(made.store), [
      [8, 'the undo record of version 9 does not lead back to it'],
      [9, "the delta and the undo record of version 9 are not each other's inverse"],
    ]);
    assert.throws(() => made.store.weightsOf(v(8)), hasCode('STORE_CORRUPT', /version 8/));
    assertSameBits(made.store.weightsOf(v(7)), weightsAt(7));
  });

  it('in a delta is found', (t) => {
    const made = filled(t, 1, 9, { snapshotEvery: 3 });
    made.damage(changeValue('payload', 5, 4));
    made.store = WeightStore.open(made.path, { clock: Date.now });
    assert.deepEqual(problemsOf(made.store), [
      [5, "the delta and the undo record of version 5 are not each other's inverse"],
    ]);
    assert.throws(() => made.store.weightsOf(v(5)), hasCode('STORE_CORRUPT', /version 5/));
  });

  it('in a snapshot is found', (t) => {
    const made = filled(t, 1, 9, { snapshotEvery: 3 });
    made.damage(flipLastByteOfSnapshot(4));
    made.store = WeightStore.open(made.path, { clock: Date.now });
    assert.deepEqual(problemsOf(made.store), [[4, 'the snapshot of version 4 has another root']]);
    assert.throws(() => made.store.weightsOf(v(4)), hasCode('STORE_CORRUPT', /version 4/));
  });

  it('on the way to the head keeps the store from opening', (t) => {
    const cases: [(database: Database.Database) => void, RegExp][] = [
      [changeValue('payload', 9, 8), /version 9 comes back with another root/],
      [(database) => database.exec('DELETE FROM deltas WHERE version = 8'), /version 8 has no delta/],
      [
        (database) => database.exec(`UPDATE deltas SET payload = x'1007' WHERE version = 8`),
        /payload of version 8 .*a first byte of more than four bits/,
      ],
      [(database) => database.exec(`UPDATE snapshot_chunks SET bytes = x'00'`), /snapshot of version 7/],
      [(database) => database.exec('DELETE FROM snapshots'), /nothing leads to version 9/],
      [(database) => database.exec('DELETE FROM model'), /no model/],
      [(database) => database.exec(`UPDATE model SET graph = x'00'`), /another digest/],
      [(database) => database.exec('DROP TABLE deltas'), /no such table/],
    ];
    for (const [action, message] of cases) {
      const made = filled(t, 1, 9, { snapshotEvery: 3 });
      made.damage(action);
      assert.throws(
        () => WeightStore.open(made.path, { clock: Date.now }),
        hasCode('STORE_CORRUPT', new RegExp(`${message.source}.*move it away`)),
      );
    }
  });
});

// Were the synthetic versions all the same, the tests above would prove little.
it('synthetic versions differ', () => {
  for (let version = 1; version < 30; version++) {
    assert.notDeepEqual(weightsAt(version), weightsAt(version + 1));
    assertSameBits(nextSyntheticWeights(weightsAt(version), version, CHANGED_COUNT), weightsAt(version + 1));
  }
});
