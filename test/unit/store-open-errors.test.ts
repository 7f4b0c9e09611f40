/**
 * What a store says to a file it cannot use: one line that names the file and what to do, and not a byte changed,
 * neither in the file nor next to it.
 */
import { strict as assert } from 'node:assert';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, it, type TestContext } from 'node:test';
import { WeightStore } from '@freshet/edge-agent/store/weight-store';
import { type ErrorCode, FreshetError } from '@freshet/protocol/errors';
import Database from 'better-sqlite3';
import { fingerprint, STORE_FILE, storeDirectory } from '../support/store-directory.ts';
import {
  deltaBetween,
  LINE,
  nextSyntheticWeights,
  positionOf,
  syntheticWeights,
  tinyModel,
} from '../support/tiny-model.ts';

const ELEMENT_COUNT = 5000;
const MODEL = tinyModel(ELEMENT_COUNT);
const WRITER = join(import.meta.dirname, '../support/store-writer.ts');

const open = (path: string, mustExist = false): WeightStore =>
  WeightStore.open(path, { clock: Date.now, mustExist });

/** A directory with a store of two versions in it, closed. */
function storeOnDisk(t: TestContext): { directory: string; path: string } {
  const directory = storeDirectory(t);
  const path = join(directory, STORE_FILE);
  const store = open(path);
  const first = syntheticWeights(ELEMENT_COUNT, 1, 4 * ELEMENT_COUNT);
  const second = nextSyntheticWeights(first, 1, 10);
  store.adoptModel(LINE, MODEL);
  store.commitSnapshot(positionOf(MODEL, 1, first), first);
  store.commitDelta(deltaBetween(MODEL, [1, first], [2, second]));
  store.close();
  return { directory, path };
}

function assertRefused(path: string, code: ErrorCode, message: RegExp, mustExist = false): void {
  assert.throws(
    () => open(path, mustExist).close(),
    (error) => {
      assert.ok(error instanceof FreshetError, String(error));
      assert.equal(error.code, code, error.message);
      assert.match(error.message, message);
      assert.doesNotMatch(error.message, /\n/, 'one line');
      return true;
    },
  );
}

/** Opening `path` is refused, and the whole directory is as before. */
function assertUntouched(directory: string, path: string, code: ErrorCode, message: RegExp): void {
  const before = fingerprint(directory);
  assertRefused(path, code, message);
  assert.deepEqual(fingerprint(directory), before);
}

describe('a place that cannot be', () => {
  it('no directory', (t) => {
    const directory = storeDirectory(t);
    const path = join(directory, 'missing', STORE_FILE);
    assertUntouched(directory, path, 'CONFIG_INVALID', /no directory .*missing: create it, or .* --state/);
  });

  it('a directory in the place of the file', (t) => {
    const directory = storeDirectory(t);
    mkdirSync(join(directory, STORE_FILE));
    assertRefused(join(directory, STORE_FILE), 'CONFIG_INVALID', /is not a file: .* --state/);
  });

  it('no file where one must be', (t) => {
    const directory = storeDirectory(t);
    assertRefused(join(directory, STORE_FILE), 'CONFIG_INVALID', /no store at .*: run the agent first/, true);
    assert.deepEqual(fingerprint(directory), {});
  });

  // The superuser may write everywhere.
  it('no permission to write', { skip: process.getuid?.() === 0 }, (t) => {
    const { directory, path } = storeOnDisk(t);
    chmodSync(path, 0o444);
    assertUntouched(directory, path, 'CONFIG_INVALID', /for writing: check its permissions/);
  });
});

describe('a damaged file', () => {
  const damages: Record<string, (path: string) => void> = {
    'not a database': (path) =>
      writeFileSync(path, 'this is not a database, and long enough to have a header\n'.repeat(9)),
    'cut off inside the header': (path) => truncateSync(path, 50),
    'cut off after the header': (path) => truncateSync(path, 4096 + 100),
    'zeros in the place of the tables': (path) => overwrite(path, 100, Buffer.alloc(1000)),
    'noise in all pages but the first': (path) => {
      const bytes = readFileSync(path);
      for (let i = 4096; i < bytes.length; i++) bytes[i] = (bytes[i]! * 31 + i) & 0xff;
      writeFileSync(path, bytes);
    },
    'one flipped bit in the weights': (path) => {
      // Found by their bytes, from the middle of the snapshot.
      const weights = Buffer.from(syntheticWeights(ELEMENT_COUNT, 1, 4 * ELEMENT_COUNT).buffer);
      const needle = weights.subarray(12_000, 12_400);
      const at = readFileSync(path).indexOf(needle);
      assert.notEqual(at, -1);
      overwrite(path, at + 200, Buffer.of(needle[200]! ^ 4));
    },
  };
  for (const [name, damage] of Object.entries(damages)) {
    it(name, (t) => {
      const { directory, path } = storeOnDisk(t);
      damage(path);
      assertUntouched(directory, path, 'STORE_CORRUPT', /weights\.sqlite is damaged \(.+\): move it away/);
    });
  }

  const statements: Record<string, string> = {
    'a tensor with another name': "UPDATE tensors SET name = 'tensor-1'",
    'a tensor with another shape of as many weights': `UPDATE tensors SET shape = '2 ${ELEMENT_COUNT / 2}'`,
    'a tensor with fewer weights': `UPDATE tensors SET shape = '${ELEMENT_COUNT - 1}'`,
    'a shape that is no shape': "UPDATE tensors SET shape = 'wide'",
    'a shape of negative dimensions': `UPDATE tensors SET shape = '-2 -${ELEMENT_COUNT / 2}'`,
    'a tensor at another place': 'UPDATE tensors SET file_offset = file_offset + 1',
    'a tensor at no place': 'UPDATE tensors SET file_offset = -1',
    'a tensor that is gone': 'DELETE FROM tensors',
    'a tensor twice': 'INSERT INTO tensors SELECT position + 1, name, shape, file_offset FROM tensors',
    'a graph that lost a byte': 'UPDATE model SET graph = CAST(substr(graph, 2) AS BLOB)',
    'a model under another name': "UPDATE model SET model_id = 'small'",
  };
  for (const [name, sql] of Object.entries(statements)) {
    it(`in its rows only: ${name}`, (t) => {
      const { directory, path } = storeOnDisk(t);
      new Database(path).exec(sql).close();
      assertUntouched(
        directory,
        path,
        'STORE_CORRUPT',
        /is damaged \(the stored (tensors|model) .+\): move it/,
      );
    });
  }

  function overwrite(path: string, offset: number, bytes: Uint8Array): void {
    const content = readFileSync(path);
    content.set(bytes, offset);
    writeFileSync(path, content);
  }
});

describe('a file of something else', () => {
  const FOREIGN = /weights\.sqlite is a database of another program: give another --state/;
  const sql = 'CREATE TABLE notes (text TEXT); INSERT INTO notes VALUES (1)';

  it('another database', (t) => {
    const directory = storeDirectory(t);
    const path = join(directory, STORE_FILE);
    new Database(path).exec(sql).close();
    assertUntouched(directory, path, 'STORE_FOREIGN', FOREIGN);
  });

  it('another database with a write-ahead log', (t) => {
    const directory = storeDirectory(t);
    const path = join(directory, STORE_FILE);
    const database = new Database(path);
    database.pragma('journal_mode = WAL');
    database.exec(sql).close();
    assertUntouched(directory, path, 'STORE_FOREIGN', FOREIGN);
  });

  it('another database whose owner crashed and left its log', (t) => {
    const directory = storeDirectory(t);
    const path = join(directory, STORE_FILE);
    const owner = `
      const database = new (require('better-sqlite3'))(${JSON.stringify(path)});
      database.pragma('journal_mode = WAL');
      database.exec(${JSON.stringify(sql)});
      process.kill(process.pid, 'SIGKILL');`;
    assert.equal(spawnSync(process.execPath, ['-e', owner], { cwd: import.meta.dirname }).signal, 'SIGKILL');
    assert.ok(existsSync(`${path}-wal`));
    const { [`${STORE_FILE}-shm`]: _index, ...before } = fingerprint(directory);
    assertRefused(path, 'STORE_FOREIGN', FOREIGN);
    // The index of the log is a scratch file that any reader rebuilds.
    const { [`${STORE_FILE}-shm`]: _rebuilt, ...after } = fingerprint(directory);
    assert.deepEqual(after, before);
  });

  it('an empty database with the mark of another program', (t) => {
    const directory = storeDirectory(t);
    const path = join(directory, STORE_FILE);
    new Database(path).exec('PRAGMA application_id = 252006674').close();
    assertUntouched(directory, path, 'STORE_FOREIGN', FOREIGN);
  });

  it('a store from before the first release, which was marked otherwise', (t) => {
    const { directory, path } = storeOnDisk(t);
    // "FrWs" in ASCII.
    new Database(path).exec(`PRAGMA application_id = ${0x46725773}`).close();
    const message =
      /is a store of a Freshet from before its first release.*: delete it and start the agent again/;
    assertUntouched(directory, path, 'STORE_FOREIGN', message);
  });

  it('a store of a newer Freshet', (t) => {
    const { directory, path } = storeOnDisk(t);
    new Database(path).exec('PRAGMA user_version = 99').close();
    const message = /written by a newer Freshet \(schema 99, known up to \d+\): update this agent/;
    assertUntouched(directory, path, 'STORE_NEWER', message);
  });

  it('an empty file is none of these: it becomes a store', (t) => {
    const path = join(storeDirectory(t), STORE_FILE);
    writeFileSync(path, '');
    const store = open(path);
    store.adoptModel(LINE, MODEL);
    store.close();
    open(path, true).close();
  });
});

describe('a store in use', () => {
  it('by another process is refused at once, and free when that one is killed', {
    timeout: 30_000,
  }, async (t) => {
    const { directory, path } = storeOnDisk(t);
    const holder = spawn(process.execPath, [WRITER, path, 'hold'], { stdio: ['ignore', 'pipe', 'inherit'] });
    t.after(() => holder.kill('SIGKILL'));
    const exited = once(holder, 'exit');
    await once(createInterface({ input: holder.stdout }), 'line');
    const message = new RegExp(
      `in use by another agent \\(pid ${holder.pid}\\): stop that agent, or .* --state`,
    );
    assertUntouched(directory, path, 'STORE_LOCKED', message);
    holder.kill('SIGKILL');
    await exited;
    const store = open(path);
    assert.equal(store.head()?.version, 2);
    store.close();
    assert.deepEqual(Object.keys(fingerprint(directory)), [STORE_FILE]);
  });

  it('by this process is refused, and the first holder does not notice', (t) => {
    const { path } = storeOnDisk(t);
    const store = open(path);
    assertRefused(path, 'STORE_LOCKED', new RegExp(`pid ${process.pid}\\)`));
    const second = spawnSync(process.execPath, [WRITER, path, 'hold'], { encoding: 'utf8' });
    assert.match(second.stderr, /in use by another agent/);
    store.setLastCommandId(1);
    store.close();
  });

  it('before it was killed in the middle of a commit: the log left behind is taken in', (t) => {
    const { directory, path } = storeOnDisk(t);
    const store = open(path);
    store.setLastCommandId(5);
    // What the directory would be after a power cut right now. (Copying ends this process's lock; nobody else is here.)
    const copy = storeDirectory(t);
    for (const file of [STORE_FILE, `${STORE_FILE}-wal`])
      copyFileSync(join(directory, file), join(copy, file));
    store.close();
    const recovered = open(join(copy, STORE_FILE));
    assert.equal(recovered.lastCommandId(), 5);
    recovered.close();
    assert.deepEqual(Object.keys(fingerprint(copy)), [STORE_FILE]);
  });
});
