/**
 * A writer that may not let any file grow beyond a limit (RLIMIT_FSIZE; the write then fails as on a full disk) runs
 * into it in the middle of its work. The commit fails, memory and disk stay at the version before it, and a process
 * without the limit carries on.
 */
import { strict as assert } from 'node:assert';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { it } from 'node:test';
import { WeightStore } from '@freshet/edge-agent/store/weight-store';
import { STORE_FILE, storeDirectory } from '../support/store-directory.ts';
import { WRITER_CHANGES, WRITER_ELEMENTS, WRITER_MODEL, WRITER_OPTIONS } from '../support/store-writer.ts';
import { deltaBetween, nextSyntheticWeights, syntheticWeights } from '../support/tiny-model.ts';
import { assertSameBits } from '../support/weights.ts';

const WRITER = join(import.meta.dirname, '../support/store-writer.ts');
/** In the units of `ulimit -f`, 512 or 1,024 bytes depending on the shell. Either is soon reached. */
const FILE_BLOCKS_MAX = 400;

it('a full disk fails the commit and nothing else', {
  skip: process.platform === 'win32',
  timeout: 30_000,
}, (t) => {
  const path = join(storeDirectory(t), STORE_FILE);
  const writer = spawnSync(
    'sh',
    ['-c', `ulimit -f ${FILE_BLOCKS_MAX} && exec "$0" "$@"`, process.execPath, WRITER, path, 'write'],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const lines = writer.stdout.trimEnd().split('\n');
  const failure = JSON.parse(lines.pop()!);
  const [version, root] = lines.pop()!.split(' ');
  const [, previousRoot] = lines.pop()!.split(' ');
  assert.equal(failure.code, 'STORE_WRITE_FAILED');
  assert.match(failure.message, /^cannot write to .*weights\.sqlite \(.*\): check free space/);
  assert.deepEqual(failure.head, { version: Number(version), root });
  assert.equal(failure.memoryRoot, root, 'memory was taken back');
  assert.equal(failure.previousRoot, previousRoot, 'reading goes on');
  assert.equal(writer.status, 1);

  const store = WeightStore.open(path, WRITER_OPTIONS);
  t.after(() => store.close());
  assert.deepEqual(store.head(), failure.head);
  const head = syntheticWeights(WRITER_ELEMENTS, Number(version), WRITER_CHANGES);
  assertSameBits(store.headWeights(), head);
  const next = nextSyntheticWeights(head, Number(version), WRITER_CHANGES);
  const delta = deltaBetween(WRITER_MODEL, [Number(version), head], [Number(version) + 1, next]);
  assert.equal(store.commitDelta(delta).kind, 'applied');
  assert.equal(store.verify().ok, true);
});
