/** The tree of BLAKE3 against an independent implementation, from scratch and kept up to date, by one thread and more. */
import { strict as assert } from 'node:assert';
import { describe, it } from 'node:test';
import { ChunkTree, chunkCountOf, nodeWordsOf } from '@freshet/protocol/blake3/chunk-tree';
import {
  climbTogether,
  type HashHelper,
  type SharedClimb,
  takePart,
} from '@freshet/protocol/blake3/shared-climb';
import { blake3 } from '@noble/hashes/blake3.js';
import fc from 'fast-check';
import '../support/seed.ts';

const CHUNK_BYTES = 1024;

/** The lengths of the official test vectors: https://github.com/BLAKE3-team/BLAKE3/tree/master/test_vectors */
const OFFICIAL_LENGTHS = [
  ...[0, 1, 2, 3, 4, 5, 6, 7, 8, 63, 64, 65, 127, 128, 129, 1023, 1024, 1025, 2048, 2049, 3072, 3073],
  ...[4096, 4097, 5120, 5121, 6144, 6145, 7168, 7169, 8192, 8193, 16384, 31744, 102400],
];

/** The input of the official test vectors. */
const officialInput = (byteCount: number) => Uint8Array.from({ length: byteCount }, (_, i) => i % 251);

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const allChunks = (bytes: Uint8Array) =>
  Uint32Array.from({ length: chunkCountOf(bytes.length) }, (_, chunk) => chunk);

function treeOver(bytes: Uint8Array): ChunkTree {
  const tree = new ChunkTree(bytes, new Uint32Array(nodeWordsOf(bytes.length)));
  tree.climb(allChunks(bytes));
  return tree;
}

/** Numbers of bytes at which trees go wrong: around chunks, blocks and powers of two of chunks. */
const byteCount = fc.oneof(
  fc
    .tuple(
      fc.constantFrom(0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 64, 65),
      fc.integer({ min: -5, max: 5 }),
    )
    .map(([chunks, more]) => Math.max(0, chunks * CHUNK_BYTES + more)),
  fc.integer({ min: 0, max: 70 * CHUNK_BYTES }),
);

/** Positions of bytes to change: none, one, some, or all. */
const positionsIn = (count: number) => {
  if (count === 0) return fc.constant<number[]>([]);
  const position = fc.nat({ max: count - 1 });
  return fc.oneof(
    fc.array(position, { maxLength: 1 }),
    fc.array(position, { maxLength: 100 }),
    fc.constant(Array.from({ length: count }, (_, i) => i)),
  );
};

function chunksAt(positions: readonly number[]): Uint32Array {
  const chunks = new Set(positions.map((position) => Math.floor(position / CHUNK_BYTES)));
  return Uint32Array.from(chunks).sort();
}

describe('the BLAKE3 tree', () => {
  it('gives the published hashes of no bytes and of "abc"', () => {
    assert.equal(
      hex(treeOver(new Uint8Array(0)).hash),
      'af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262',
    );
    assert.equal(
      hex(treeOver(Buffer.from('abc')).hash),
      '6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85',
    );
  });

  it('agrees with another implementation on the inputs of the official test vectors', () => {
    for (const length of OFFICIAL_LENGTHS) {
      const input = officialInput(length);
      assert.equal(hex(treeOver(input).hash), hex(blake3(input)), `${length} bytes`);
    }
  });

  it('kept up to date over changes, has the hash from scratch', () => {
    const scenario = byteCount.chain((count) =>
      fc.tuple(fc.constant(count), fc.array(positionsIn(count), { maxLength: 3 })),
    );
    fc.assert(
      fc.property(scenario, ([count, changes]) => {
        const bytes = officialInput(count);
        const tree = treeOver(bytes);
        for (const positions of changes) {
          for (const position of positions) bytes[position]! ^= 1 + (position % 255);
          tree.climb(chunksAt(positions));
          assert.equal(hex(tree.hash), hex(blake3(bytes)));
        }
      }),
      { numRuns: 60 },
    );
  });
});

describe('a shared climb', () => {
  const helpers: Readonly<Record<string, HashHelper>> = {
    'whose helper never answers': { offer: () => undefined },
    'whose helper does everything': { offer: takePart },
  };
  // Less than one range, one to the chunk, some, and a last one with a single chunk.
  const byteCounts = [0, 5000, 512 * CHUNK_BYTES, 700 * CHUNK_BYTES + 77, 1025 * CHUNK_BYTES];

  for (const [name, helper] of Object.entries(helpers)) {
    it(`${name} gives the same hash`, () => {
      for (const count of byteCounts) {
        const bytes = officialInput(count);
        const nodes = new Uint32Array(nodeWordsOf(count));
        climbTogether(bytes, nodes, allChunks(bytes), helper);
        assert.equal(hex(new ChunkTree(bytes, nodes).hash), hex(blake3(bytes)), `${count} bytes`);
        if (count === 0) continue;
        bytes[count >> 1]! ^= 1;
        climbTogether(bytes, nodes, chunksAt([count >> 1]), helper);
        assert.equal(hex(new ChunkTree(bytes, nodes).hash), hex(blake3(bytes)), `${count} bytes, changed`);
      }
    });
  }

  it('whose helper stays in a range is made without it, and its late writes reach nobody', () => {
    const bytes = officialInput(1300 * CHUNK_BYTES);
    const nodes = new Uint32Array(nodeWordsOf(bytes.length));
    const helped = climbTogether(bytes, nodes, allChunks(bytes), {
      offer: ({ counters }) => void Atomics.add(counters, 0, 1),
    });
    assert.notEqual(helped, nodes);
    nodes.fill(0xdead);
    assert.equal(hex(new ChunkTree(bytes, helped).hash), hex(blake3(bytes)));
    bytes[700]! ^= 1;
    assert.equal(
      climbTogether(bytes, helped, chunksAt([700]), helpers['whose helper does everything']!),
      helped,
    );
    assert.equal(
      hex(new ChunkTree(bytes, helped).hash),
      hex(blake3(bytes)),
      'the nodes beside it are right, too',
    );
  });

  it('finds nothing to do when an offer is taken up late', () => {
    const bytes = officialInput(300 * CHUNK_BYTES);
    const nodes = new Uint32Array(nodeWordsOf(bytes.length));
    const offers: SharedClimb[] = [];
    climbTogether(bytes, nodes, allChunks(bytes), { offer: (climb) => offers.push(climb) });
    assert.equal(offers.length, 1);
    const before = nodes.slice();
    bytes.fill(0);
    for (const climb of offers) takePart(climb);
    assert.deepEqual(nodes, before);
  });
});
