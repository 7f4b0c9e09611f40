/** What a sample log says to a file that it cannot use, with the file as it was, and two processes on one file. */
import { strict as assert } from 'node:assert';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import type { SampleFormat } from '@freshet/protocol/sample-format';
import Database from 'better-sqlite3';
import { LearnerSampleLog } from '../../trainer/history/sample-log/learner-sample-log.ts';
import { SampleInbox } from '../../trainer/history/sample-log/sample-inbox.ts';
import { DIGITS, digit, openInbox, openLearnerLog, SENSORS, samplePath } from '../support/sample-logs.ts';
import { freshetError } from '../support/serving.ts';
import { fingerprint } from '../support/store-directory.ts';

const PROCESS = join(import.meta.dirname, '../support/sample-log-process.ts');
const OPTIONS = { format: DIGITS, clock: Date.now, lockWaitMs: 50 };

/** Both ends are refused, and every file in the directory is as it was; SQLite may have made an index of a log. */
function assertRefused(path: string, code: string, message: RegExp): void {
  const before = fingerprint(dirname(path));
  for (const end of [SampleInbox, LearnerSampleLog]) {
    assert.throws(() => end.open(path, OPTIONS).close(), freshetError(code, message));
  }
  const { [`${path.slice(dirname(path).length + 1)}-shm`]: _index, ...after } = fingerprint(dirname(path));
  assert.deepEqual(after, before);
}

/** A closed log with some samples. */
function logOnDisk(test: TestContext): string {
  const path = samplePath(test);
  const inbox = openInbox(test, path);
  for (let n = 0; n < 2000; n += 100) {
    const samples = Array.from({ length: 100 }, (_, i) => digit(n + i, `sample ${n + i}`));
    inbox.append(samples, 'http');
  }
  inbox.close();
  return path;
}

describe('a file that cannot be opened', () => {
  it('is no database', (test) => {
    const path = samplePath(test);
    writeFileSync(path, 'Dear diary, '.repeat(1000));
    assertRefused(path, 'STORE_CORRUPT', /sample log .* is damaged \(file is not a database\): .*move it/);
  });

  it('is that of another program', (test) => {
    const path = samplePath(test);
    new Database(path).exec('CREATE TABLE cookies (name TEXT)').close();
    assertRefused(path, 'STORE_FOREIGN', /not a Freshet sample log: use another --state directory/);
  });

  it('is that of another program that crashed: its log is not moved into the file', (test) => {
    const path = samplePath(test);
    const owner = `
      const database = new (require('better-sqlite3'))(${JSON.stringify(path)});
      database.pragma('journal_mode = WAL');
      database.exec('CREATE TABLE cookies (name TEXT)');
      process.kill(process.pid, 'SIGKILL');`;
    assert.equal(spawnSync(process.execPath, ['-e', owner], { cwd: import.meta.dirname }).signal, 'SIGKILL');
    assert.ok(existsSync(`${path}-wal`));
    rmSync(`${path}-shm`, { force: true });
    assertRefused(path, 'STORE_FOREIGN', /not a Freshet sample log/);
  });

  it('is of a newer schema', (test) => {
    const path = logOnDisk(test);
    const handle = new Database(path);
    handle.pragma('user_version = 99');
    handle.close();
    assertRefused(path, 'STORE_NEWER', /newer Freshet \(schema 99, this one knows 1\): upgrade, or/);
  });

  it('holds samples of another format', (test) => {
    const path = logOnDisk(test);
    const others: SampleFormat[] = [
      SENSORS,
      { ...DIGITS, inputShape: [6] },
      { ...DIGITS, inputType: 'float32' },
      { ...DIGITS, target: { kind: 'class', classCount: 11 } },
      { ...DIGITS, target: { kind: 'vector', elementCount: 10 } },
    ];
    for (const format of others) {
      const says =
        /holds samples of \[3,2,1\] uint8 with one of 10 classes, and the recipe takes .*: use another/;
      for (const end of [SampleInbox, LearnerSampleLog]) {
        assert.throws(() => end.open(path, { ...OPTIONS, format }), freshetError('MODEL_MISMATCH', says));
      }
    }
    assert.equal(openInbox(test, path).sampleCount, 2000);
  });

  it('is a folder', (test) => {
    const path = samplePath(test);
    mkdirSync(path);
    const says = /cannot use .*samples\.sqlite \(.*\): check free space and permissions/;
    assert.throws(() => SampleInbox.open(path, OPTIONS), freshetError('STORE_WRITE_FAILED', says));
  });

  it('is cut short', (test) => {
    const path = logOnDisk(test);
    truncateSync(path, Math.floor(statSync(path).size / 2));
    assert.throws(
      () => {
        const log = openLearnerLog(test, path);
        log.read(Array.from({ length: 2000 }, (_, arrival) => arrival));
      },
      freshetError('STORE_CORRUPT', /sample log .* is damaged/),
    );
  });

  it('has a damaged page', (test) => {
    const path = logOnDisk(test);
    const bytes = readFileSync(path);
    bytes.fill(0xa5, bytes.length >> 1, (bytes.length >> 1) + 4096);
    writeFileSync(path, bytes);
    const log = openLearnerLog(test, path);
    assert.throws(
      () => {
        log.read(Array.from({ length: 2000 }, (_, arrival) => arrival));
        log.takeStep(0, 2000);
        log.checkpointed(
          0,
          0,
          Array.from({ length: 2000 }, (_, arrival) => arrival),
        );
      },
      freshetError('STORE_CORRUPT', /sample log .* is damaged/),
    );
  });
});

describe('two processes', () => {
  it('open a log that is not there yet at the same time', { timeout: 30_000 }, async (test) => {
    const path = samplePath(test);
    const children = Array.from({ length: 4 }, () =>
      spawn(process.execPath, [PROCESS, path, 'open'], { stdio: ['ignore', 'pipe', 'inherit'] }),
    );
    const exits = await Promise.all(children.map((child) => once(child, 'exit')));
    assert.deepEqual(
      exits.map(([code]) => code),
      [0, 0, 0, 0],
    );
    assert.equal(openLearnerLog(test, path).state().learner, 5);
  });

  it('wait for each other so long and no longer, and nothing is half done', {
    timeout: 30_000,
  }, async (test) => {
    const path = logOnDisk(test);
    const inbox = openInbox(test, path, { lockWaitMs: 50 });
    const log = openLearnerLog(test, path, { lockWaitMs: 50 });
    const holder = spawn(process.execPath, [PROCESS, path, 'hold'], { stdio: ['pipe', 'pipe', 'inherit'] });
    test.after(() => holder.kill('SIGKILL'));
    await once(holder.stdout, 'data');
    const isHeld = freshetError(
      'STORE_LOCKED',
      /held by another process for too long: stop what works on it/,
    );
    assert.throws(() => inbox.append([digit(1)], 'http'), isHeld);
    assert.throws(() => log.takeStep(0, 2), isHeld);
    assert.equal(log.read([0]).length, 1, 'reading waits for nobody');
    assert.equal(inbox.waiting, 2000);
    holder.stdin.end();
    await once(holder, 'exit');
    assert.equal(inbox.append([digit(1)], 'http').kind, 'taken');
    log.takeStep(0, 2);
    assert.equal(inbox.waiting, 1999);
  });

  it('leave nothing behind when both have closed', (test) => {
    const path = logOnDisk(test);
    const inbox = openInbox(test, path);
    const log = openLearnerLog(test, path);
    log.appendFromSource(0, 3);
    inbox.close();
    log.close();
    assert.deepEqual(Object.keys(fingerprint(dirname(path))), ['samples.sqlite']);
  });
});

it('a full disk fails the append, and nothing of it is there', {
  skip: process.platform === 'win32',
}, (test) => {
  const path = samplePath(test);
  const script = `ulimit -f 400 && exec "$0" "$@"`;
  const writer = spawnSync('sh', ['-c', script, process.execPath, PROCESS, path, 'inbox'], {
    encoding: 'utf8',
    timeout: 20_000,
  });
  assert.match(writer.stderr, /STORE_WRITE_FAILED/);
  assert.match(writer.stderr, /cannot use .*samples\.sqlite \(.*\): check free space/);
  const taken = Number(/taken (\d+)\n$/.exec(writer.stdout)?.[1]);
  assert.ok(taken > 100);
  const inbox = openInbox(test, path);
  assert.equal(inbox.sampleCount, taken);
  assert.equal(inbox.append([digit(0, 'after')], 'http').kind, 'taken');
});
