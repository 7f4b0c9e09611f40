/**
 * A process that commits versions as fast as it can is killed with SIGKILL ten times, at instants drawn at random.
 * Each version that it said was committed has to be in the store afterwards, bit for bit, and the next process goes
 * on from there.
 */
import { strict as assert } from 'node:assert';
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { it } from 'node:test';
import { WeightStore } from '@freshet/edge-agent/store/weight-store';
import { digestWeights } from '@freshet/protocol/digest';
import { seed } from '../support/seed.ts';
import { STORE_FILE, storeDirectory } from '../support/store-directory.ts';
import { WRITER_CHANGES, WRITER_ELEMENTS, WRITER_MODEL, WRITER_OPTIONS } from '../support/store-writer.ts';
import { syntheticWeights } from '../support/tiny-model.ts';
import { assertSameBits } from '../support/weights.ts';

const KILLS = 10;
const ACKNOWLEDGED_MAX = 40;
const WRITER = join(import.meta.dirname, '../support/store-writer.ts');

/** Park–Miller minimal standard generator: numbers in [0, 1). */
function randomFrom(start: number): () => number {
  let state = (start % 2147483646) + 1;
  return () => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
}

/** Versions that a writer acknowledged until it was killed, `count` acknowledgements or a bit more after its start. */
async function writeAndDie(path: string, count: number, spins: number): Promise<Map<number, string>> {
  const child: ChildProcessByStdio<null, Readable, null> = spawn(process.execPath, [WRITER, path, 'write'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const acknowledged = new Map<number, string>();
  for await (const line of createInterface({ input: child.stdout })) {
    const [version, root] = line.split(' ');
    // A line that the kill cut short is no acknowledgement.
    if (version === undefined || root?.length !== 64) continue;
    acknowledged.set(Number(version), root);
    if (acknowledged.size !== count) continue;
    // The writer is in the middle of a later commit by now; where, depends on how long this takes.
    for (let spun = 0; spun < spins; spun++) Math.hypot(spun, spins);
    child.kill('SIGKILL');
  }
  assert.deepEqual(await exited, [null, 'SIGKILL'], 'the writer ran until it was killed');
  return acknowledged;
}

it('every acknowledged version survives kill -9', { timeout: 60_000 }, async (t) => {
  const path = join(storeDirectory(t), STORE_FILE);
  const random = randomFrom(seed);
  let newest = 0;
  for (let kill = 0; kill < KILLS; kill++) {
    const count = 1 + Math.floor(random() * ACKNOWLEDGED_MAX);
    const acknowledged = await writeAndDie(path, count, Math.floor(random() * 1_000_000));
    assert.equal(acknowledged.keys().next().value, newest + 1, 'it went on where the last one stopped');
    const store = WeightStore.open(path, WRITER_OPTIONS);
    const stored = new Map<number, string>(store.versions().map(({ version, root }) => [version, root]));
    const head = store.head()!;
    newest = Math.max(...acknowledged.keys());
    assert.ok(head.version === newest || head.version === newest + 1, `${newest} → ${head.version}`);
    newest = head.version;
    for (const [version, root] of acknowledged) {
      if (version > newest - WRITER_OPTIONS.keepVersions) assert.equal(stored.get(version), root);
    }
    assertSameBits(store.headWeights(), syntheticWeights(WRITER_ELEMENTS, newest, WRITER_CHANGES));
    for (const { version, root } of store.versions()) {
      assert.equal(digestWeights(store.weightsOf(version), WRITER_MODEL.digest, version), root);
    }
    assert.deepEqual(store.verify().integrityProblems, []);
    assert.equal(store.verify().ok, true);
    store.close();
  }
  t.diagnostic(`killed ${KILLS} times on the way to version ${newest}`);
});
