/** The second thread for hashing: it does take part, gives the same roots, lets the process end, and may die. */
import { strict as assert } from 'node:assert';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import { ChunkTree, chunkCountOf, nodeWordsOf } from '@freshet/protocol/blake3/chunk-tree';
import { SHARED_CHUNKS_MIN } from '@freshet/protocol/blake3/shared-climb';
import { CHUNK_ELEMENTS, digestWeights, WeightsDigest } from '@freshet/protocol/digest';
import { asModelDigest, asWeightsVersion } from '@freshet/protocol/ids';
import { HashThread } from '@freshet/protocol/local/hash-thread';
import type { HashingOutcome } from '../support/hash-with-thread.ts';
import { until } from '../support/until.ts';

const MODEL = asModelDigest('ab'.repeat(32));
const VERSION = asWeightsVersion(1);
const ELEMENT_COUNT = (SHARED_CHUNKS_MIN + 100) * CHUNK_ELEMENTS + 3;

const shared = (byteCount: number) => new SharedArrayBuffer(byteCount);

describe('the hash thread', () => {
  it('hashes what it is offered', async () => {
    // Few enough chunks that one range holds the whole tree.
    const bytes = new Uint8Array(shared(60_000));
    const touchedChunks = Uint32Array.from({ length: chunkCountOf(bytes.length) }, (_, chunk) => chunk);
    const nodes = new Uint32Array(shared(4 * nodeWordsOf(bytes.length)));
    const climb = { bytes, nodes, touchedChunks, counters: new Int32Array(shared(8)) };
    const thread = new HashThread(assert.ifError);
    await until('the thread has hashed the only range', () => {
      thread.offer(climb);
      return Atomics.load(climb.counters, 1) === 1;
    });
    const alone = new ChunkTree(bytes, new Uint32Array(nodes.length));
    alone.climb(touchedChunks);
    assert.deepEqual(new ChunkTree(bytes, nodes).hash, alone.hash);
  });

  it('helps weights in shared memory to the root that they have elsewhere', () => {
    const weights = new Float32Array(shared(4 * ELEMENT_COUNT));
    const digest = new WeightsDigest(weights, MODEL, new HashThread(assert.ifError));
    const indices = Uint32Array.from({ length: ELEMENT_COUNT }, (_, i) => i);
    for (let round = 0; round < 50; round++) {
      weights.fill(round);
      digest.update(indices);
      assert.equal(digest.root(VERSION), digestWeights(weights.slice(), MODEL, VERSION));
    }
  });

  it('does not keep the process alive', async () => {
    assert.deepEqual(await hashInProcess([], false), { wrong: 0, lost: [] });
  });

  it('is done without where it may not start', async () => {
    const { wrong, lost } = await hashInProcess(['--permission', '--allow-fs-read=*'], true);
    assert.equal(wrong, 0);
    assert.equal(lost.length, 1);
    assert.match(lost[0]!, /permission/);
  });

  it('that dies inside a range is told of once, and no root is wrong then or afterwards', async () => {
    const hook = new URL('../support/die-while-hashing.ts', import.meta.url).href;
    const { wrong, lost } = await hashInProcess(['--import', hook], true);
    assert.deepEqual({ wrong, lost }, { wrong: 0, lost: ['Error: the thread ended with exit code 7'] });
  });
});

async function hashInProcess(nodeOptions: readonly string[], untilLost: boolean): Promise<HashingOutcome> {
  const program = join(import.meta.dirname, '../support/hash-with-thread.ts');
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [...nodeOptions, program, String(untilLost)],
    { timeout: 20_000 },
  );
  return JSON.parse(stdout);
}
