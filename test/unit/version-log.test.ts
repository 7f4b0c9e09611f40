/**
 * The version log on real files: what it restores after a restart, what it refuses, and that refusing changes nothing.
 */
import { strict as assert } from 'node:assert';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { encodeDeltaPayload } from '@freshet/protocol/delta-payload';
import { digestWeights, LEAF_ELEMENTS } from '@freshet/protocol/digest';
import { asAgentId, asRoot, asWeightsVersion } from '@freshet/protocol/ids';
import Database from 'better-sqlite3';
import { KEEP_VERSIONS_DEFAULT, VersionLog } from '../../trainer/history/version-log.ts';
import { openLogDatabase } from '../../trainer/history/version-log-database.ts';
import { FakeLearner, handMadeModel, note, sameBits } from '../support/hub-model.ts';
import { withOtherValue } from '../support/payloads.ts';
import { seed } from '../support/seed.ts';
import { fingerprint } from '../support/store-directory.ts';

const ELEMENT_COUNT = 3000;
const clock = () => 1_700_000_000_000;
const model = handMadeModel(ELEMENT_COUNT);

let directory: string;
let path: string;
let open: VersionLog[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'freshet-log-'));
  path = join(directory, 'versions.db');
  open = [];
});

afterEach(() => {
  for (const log of open) log.close();
  rmSync(directory, { recursive: true });
});

interface Retention {
  keyframeEvery?: number;
  keepVersions?: number | null;
}

function openLog(options: Retention = {}): VersionLog {
  const log = VersionLog.open(path, { clock, lockWaitMs: 0, ...options });
  open.push(log);
  return log;
}

function closeLog(log: VersionLog): void {
  log.close();
  open.splice(open.indexOf(log), 1);
}

/** A log with `count` versions, and the weights of each as a learner had them. */
function grow(count: number, options: Retention = {}) {
  const log = openLog(options);
  const learner = new FakeLearner(model, seed);
  learner.start(log);
  const weightsByVersion = [new Float32Array(0), learner.weights.slice()];
  while (weightsByVersion.length <= count) {
    learner.publish(log, 40);
    weightsByVersion.push(learner.weights.slice());
  }
  return { log, learner, weightsByVersion };
}

describe('a line of versions', () => {
  test('is the same after a restart: line, model, head, every version, and it goes on', () => {
    const { log, learner, weightsByVersion } = grow(23, { keyframeEvery: 10 });
    const { lineId } = log;
    const head = log.head();
    closeLog(log);

    const again = openLog({ keyframeEvery: 10 });
    assert.equal(again.lineId, lineId);
    assert.equal(again.model()?.digest, model.digest);
    assert.deepEqual(again.model()?.tensors, model.tensors);
    assert.equal(again.model()?.fileBytes, model.fileBytes);
    assert.deepEqual(again.head(), head);
    assert.ok(sameBits(again.headWeights(), learner.weights));
    for (let version = 1; version <= 23; version++) {
      assert.ok(sameBits(again.weightsOf(asWeightsVersion(version)), weightsByVersion[version]!));
      assert.equal(
        again.rootOf(asWeightsVersion(version)),
        digestWeights(weightsByVersion[version]!, model.digest, asWeightsVersion(version)),
      );
    }
    learner.publish(again, 40);
    assert.equal(again.head()?.version, 24);
  });

  test('gives its deltas in order from any version, and none for a version it does not know', () => {
    const { log } = grow(6);
    const run = [...log.deltasFrom(asWeightsVersion(3))!];
    assert.deepEqual(
      run.map(({ base, next }) => [base, next]),
      [
        [3, 4],
        [4, 5],
        [5, 6],
      ],
    );
    assert.deepEqual(
      run.map(({ root }) => root),
      [4, 5, 6].map((version) => log.rootOf(asWeightsVersion(version))),
    );
    assert.deepEqual(
      [...log.deltaBytesFrom(asWeightsVersion(3))!],
      run.map(({ payload }) => payload.length),
    );
    assert.deepEqual([...log.deltasFrom(asWeightsVersion(6))!], []);
    assert.equal(log.deltasFrom(asWeightsVersion(7)), null);
    assert.equal(log.deltaBytesFrom(asWeightsVersion(7)), null);
    assert.equal(log.deltaAfter(asWeightsVersion(6)), null);
    assert.equal(log.deltaAfter(asWeightsVersion(5))?.next, 6);
  });

  test('lists versions newest first, page by page, with what the learner noted', () => {
    const { log } = grow(5);
    assert.deepEqual(
      log.versions(2).map(({ version }) => version),
      [5, 4],
    );
    const [third] = log.versions(10, 4);
    assert.deepEqual(third, {
      version: 3,
      root: log.rootOf(asWeightsVersion(3)),
      createdAtMs: clock(),
      deltaBytes: log.deltaAfter(asWeightsVersion(2))!.payload.length,
      step: 2,
      samplesSeen: 16,
      prequentialAccuracy: 0.5,
      loss: 0.25,
    });
    assert.equal(log.versions(10).at(-1)?.deltaBytes, null);
  });

  test('keeps at least keepVersions versions and forgets older ones when a keyframe allows it', () => {
    const { log, weightsByVersion } = grow(47, { keyframeEvery: 10, keepVersions: 15 });
    // The keyframe at 40 was the last to prune: 40 − 15 + 1 = 26, and the keyframe below that is 20.
    assert.equal(log.versions(100).at(-1)?.version, 20);
    for (let version = 20; version <= 47; version++) {
      assert.ok(sameBits(log.weightsOf(asWeightsVersion(version)), weightsByVersion[version]!));
    }
    assert.equal(log.rootOf(asWeightsVersion(19)), null);
    assert.equal(log.deltasFrom(asWeightsVersion(19)), null);
    assert.throws(() => log.weightsOf(asWeightsVersion(19)), { code: 'VERSION_UNKNOWN' });
    closeLog(log);
    assert.equal(openLog().head()?.version, 47);
  });

  test('does not grow for ever: versions are forgotten where nothing is said about retention', () => {
    const database = openLogDatabase(path);
    database.handle.pragma('synchronous = OFF');
    const log = new VersionLog(database, { clock, keyframeEvery: 1000 });
    open.push(log);
    const learner = new FakeLearner(model, seed);
    learner.start(log);
    while (log.head()!.version < KEEP_VERSIONS_DEFAULT + 1000) learner.publish(log, 1);
    assert.equal(log.versions(1, 1001)[0]?.version, 1000);
    assert.deepEqual(log.versions(1, 1000), []);
  });

  test('that was kept whole so far is forgotten in steps, not within one append', () => {
    const { log, learner } = grow(105, { keyframeEvery: 10, keepVersions: null });
    closeLog(log);
    const bounded = openLog({ keyframeEvery: 10, keepVersions: 15 });
    const oldest = () => bounded.versions(1000).at(-1)?.version;
    assert.equal(oldest(), 1);
    const floors: (number | undefined)[] = [];
    while (bounded.head()!.version < 160) {
      learner.publish(bounded, 5);
      if (bounded.head()!.version % 10 === 0) floors.push(oldest());
    }
    assert.deepEqual(floors, [20, 40, 60, 80, 100, 120].slice(0, floors.length));
  });

  test('holds one model', () => {
    const { log } = grow(2);
    log.setModel(model);
    assert.throws(() => log.setModel(handMadeModel(ELEMENT_COUNT, 'another')), {
      code: 'MODEL_MISMATCH',
      message: /use another --state directory/,
    });
  });
});

describe('what is refused changes nothing', () => {
  test('a delta whose root does not come out', () => {
    const { log, learner } = grow(4);
    const head = log.head()!;
    const payload = encodeDeltaPayload(
      { indices: Uint32Array.of(5), valueBits: Uint32Array.of(1) },
      log.headWeights(),
      model,
    );
    assert.throws(
      () =>
        log.appendDelta({
          base: head.version,
          next: asWeightsVersion(head.version + 1),
          root: asRoot('0'.repeat(64)),
          payload,
          note,
        }),
      { code: 'ROOT_MISMATCH' },
    );
    assert.deepEqual(log.head(), head);
    assert.ok(sameBits(log.headWeights(), learner.weights));
    // In another leaf of the digest than the refused change, whose leaf has to be right again by itself.
    const indices = Uint32Array.of(2 * LEAF_ELEMENTS);
    learner.publishDelta(log, { indices, valueBits: Uint32Array.of(7) });
    assert.equal(log.head()?.version, head.version + 1);
  });

  test('a malformed payload, a gap and a wrong base', () => {
    const { log, learner } = grow(2);
    const delta = { root: log.head()!.root, payload: Uint8Array.of(1, 9), note };
    const append = (base: number, next: number) =>
      log.appendDelta({ ...delta, base: asWeightsVersion(base), next: asWeightsVersion(next) });
    assert.throws(() => append(2, 3), { code: 'DELTA_MALFORMED' });
    assert.throws(() => append(1, 2), { name: 'InvariantError' });
    assert.throws(() => append(2, 4), { name: 'InvariantError' });
    assert.ok(sameBits(log.headWeights(), learner.weights));
  });

  test('a snapshot under a wrong root', () => {
    const log = openLog();
    log.setModel(model);
    const position = { version: asWeightsVersion(1), root: asRoot('1'.repeat(64)) };
    assert.throws(() => log.appendSnapshot(position, new Float32Array(ELEMENT_COUNT), note), {
      code: 'ROOT_MISMATCH',
    });
    assert.equal(log.head(), null);
  });

  test('a delta that the disk has no room for: the weights in memory go back as well', () => {
    const database = openLogDatabase(path);
    const log = new VersionLog(database, { clock });
    open.push(log);
    const learner = new FakeLearner(model, seed);
    learner.start(log);
    learner.publish(log, 40);
    const head = log.head();
    const before = log.headWeights().slice();
    const pageCount = Number(database.handle.pragma('page_count', { simple: true }));

    database.handle.pragma(`max_page_count = ${pageCount}`);
    assert.throws(
      () => learner.publish(log, ELEMENT_COUNT),
      (error: Error & { code?: string }) => {
        assert.equal(error.code, 'STORE_WRITE_FAILED');
        assert.match(error.message, /check free space/);
        return true;
      },
    );
    assert.deepEqual(log.head(), head);
    assert.ok(sameBits(log.headWeights(), before));

    database.handle.pragma('max_page_count = 1000000');
    learner.resume(log);
    learner.publish(log, 40);
    assert.equal(log.head()?.version, 3);
    assert.ok(sameBits(log.weightsOf(asWeightsVersion(3)), learner.weights));
  });
});

describe('files that cannot be opened', () => {
  /** Opening fails with `code`, and not a byte of the file is different. */
  function assertRefused(code: string, message: RegExp): void {
    const before = readFileSync(path);
    assert.throws(() => openLog(), { code, message });
    assert.ok(readFileSync(path).equals(before));
  }

  test('a file that is no database', () => {
    writeFileSync(path, 'Dear diary, '.repeat(1000));
    assertRefused('STORE_CORRUPT', /is damaged \(file is not a database\): .*move it away/);
  });

  test('a database of another program', () => {
    const foreign = new Database(path);
    foreign.exec('CREATE TABLE cookies (name TEXT)');
    foreign.close();
    assertRefused('STORE_FOREIGN', /not a Freshet version log: use another --state directory/);
  });

  test('a database of another program that crashed: its log is not moved into the file', () => {
    const owner = `
      const database = new (require('better-sqlite3'))(${JSON.stringify(path)});
      database.pragma('journal_mode = WAL');
      database.exec('CREATE TABLE cookies (name TEXT)');
      process.kill(process.pid, 'SIGKILL');`;
    assert.equal(spawnSync(process.execPath, ['-e', owner], { cwd: import.meta.dirname }).signal, 'SIGKILL');
    assert.ok(existsSync(`${path}-wal`));
    // Any reader makes this one anew; here the refused opening has to, and has to clear it away.
    rmSync(`${path}-shm`, { force: true });
    const before = fingerprint(directory);
    assertRefused('STORE_FOREIGN', /not a Freshet version log/);
    assert.deepEqual(fingerprint(directory), before);
  });

  test('none of these: a log whose owner crashed is taken in, and nothing is left next to it', () => {
    const owner = `
      import { FakeLearner, handMadeModel } from './support/hub-model.ts';
      import { VersionLog } from '../trainer/history/version-log.ts';
      const log = VersionLog.open(${JSON.stringify(path)}, { clock: Date.now });
      const learner = new FakeLearner(handMadeModel(${ELEMENT_COUNT}), 1);
      learner.start(log);
      learner.publish(log, 40);
      process.kill(process.pid, 'SIGKILL');`;
    const cwd = join(import.meta.dirname, '..');
    const crashed = spawnSync(process.execPath, ['--input-type=module-typescript', '-e', owner], { cwd });
    assert.equal(crashed.signal, 'SIGKILL', crashed.stderr.toString());
    assert.ok(statSync(`${path}-wal`).size > 0);
    const log = openLog();
    assert.equal(log.head()?.version, 2);
    closeLog(log);
    assert.deepEqual(Object.keys(fingerprint(directory)), ['versions.db']);
  });

  test('a log of a newer schema', () => {
    closeLog(openLog());
    const handle = new Database(path);
    handle.pragma('user_version = 99');
    handle.pragma('journal_mode = DELETE');
    handle.close();
    assertRefused('STORE_NEWER', /schema 99/);
  });

  test('a log that another process has open', () => {
    openLog();
    assert.throws(() => openLog(), { code: 'STORE_LOCKED', message: /in use by another process/ });
  });

  test('a log with damaged pages', () => {
    closeLog(grow(12, { keyframeEvery: 100 }).log);
    const bytes = readFileSync(path);
    const { size } = statSync(path);
    bytes.fill(0xa5, Math.floor(size / 2), Math.floor(size / 2) + 8192);
    writeFileSync(path, bytes);
    assertRefused('STORE_CORRUPT', /is damaged .*restore it from a backup/);
  });

  test('a log in which one stored value has changed', () => {
    const { log, weightsByVersion } = grow(3);
    closeLog(log);
    const handle = new Database(path);
    // Of the newest delta: what another one overwrites would not show.
    const payload = handle.prepare<[], Buffer>('SELECT payload FROM deltas WHERE next = 3').pluck().get()!;
    const damaged = withOtherValue(payload, weightsByVersion[2]!, model);
    handle.prepare('UPDATE deltas SET payload = ? WHERE next = 3').run(damaged);
    handle.close();
    assertRefused('STORE_CORRUPT', /version 3 does not match its root/);
  });

  test('a log in which a delta is no delta', () => {
    closeLog(grow(3).log);
    const handle = new Database(path);
    handle.exec(`UPDATE deltas SET payload = x'00' WHERE next = 3`);
    handle.close();
    assertRefused('STORE_CORRUPT', /malformed delta payload: it ends inside its header/);
  });

  test('a folder in the place of the file', () => {
    path = directory;
    assert.throws(() => openLog(), { code: 'STORE_WRITE_FAILED' });
    path = join(directory, 'versions.db');
  });
});

describe('commands', () => {
  const first = asAgentId('edge-1');
  const second = asAgentId('edge-2');

  test('wait for their answer across a restart, in order, for their agent only', () => {
    const log = openLog();
    const [pin] = log.commands.enqueue([first, second], 'pin', asWeightsVersion(7));
    const [follow] = log.commands.enqueue([first], 'follow', null);
    closeLog(log);

    const { commands } = openLog();
    assert.deepEqual(commands.pendingOf(first), [pin, follow]);
    assert.deepEqual(commands.pendingOf(first, pin!.id), [follow]);
    assert.equal(commands.pendingOf(second).length, 1);
    assert.equal(commands.complete(pin!.id, second, true, 'not mine'), false);
    assert.equal(commands.complete(pin!.id, first, true, 'serving 7'), true);
    assert.equal(commands.complete(pin!.id, first, false, 'again'), false);
    assert.deepEqual(commands.pendingOf(first), [follow]);
    assert.deepEqual(commands.find(pin!.id)?.answer, { ok: true, outcome: 'serving 7' });
    assert.equal(commands.find(999), null);
  });
});

describe('agents', () => {
  test('are found again as they were saved', () => {
    const log = openLog();
    const record = {
      agentId: asAgentId('edge-1'),
      software: 'test/1',
      lastSeenAtMs: clock(),
      head: { version: asWeightsVersion(3), root: asRoot('a'.repeat(64)) },
      served: null,
      pinned: true,
      bytesSent: 1,
      bytesReceived: 2,
      bytesReceivedReported: 3,
      inferenceRequests: 4,
      versionsDelivered: 5,
    };
    log.agents.save([record, { ...record, agentId: asAgentId('edge-0') }]);
    log.agents.save([{ ...record, bytesSent: 9 }]);
    closeLog(log);
    assert.deepEqual(openLog().agents.all(), [
      { ...record, agentId: 'edge-0' },
      { ...record, bytesSent: 9 },
    ]);
  });
});
