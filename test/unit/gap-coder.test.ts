/**
 * Positions against the information in them: k of n have log2 C(n, k) bits when nothing is known of them. The coder may
 * take 5 % more, and not more either for positions that lie in clusters, of which less could be said.
 */
import { strict as assert } from 'node:assert';
import { describe, it } from 'node:test';
import { decodeIndices, encodeIndices } from '@freshet/protocol/payload/gap-coder';
import { RangeDecoder, RangeEncoder } from '@freshet/protocol/payload/range-coder';
import { RawBitReader, RawBitWriter } from '@freshet/protocol/payload/raw-bits';
import fc from 'fast-check';
import { createRandom } from '../../trainer/core/random.ts';
import { seed } from '../support/seed.ts';

const ELEMENT_COUNT = 1_000_000;
const OVERHEAD_MAX = 1.05;

function encode(indices: Uint32Array, elementCount: number): Uint8Array {
  const coder = new RangeEncoder();
  const raw = new RawBitWriter();
  encodeIndices(coder, raw, indices, elementCount);
  return Buffer.concat([coder.finish(), raw.finish()]);
}

function decode(bytes: Uint8Array, count: number, elementCount: number): Uint32Array {
  return decodeIndices(new RangeDecoder(bytes, 0), new RawBitReader(bytes, 0), count, elementCount);
}

/** log2 C(n, k), as a sum of logarithms of the quotients. */
function entropyBits(elementCount: number, count: number): number {
  let bits = 0;
  for (let i = 1; i <= count; i++) bits += Math.log2((elementCount - count + i) / i);
  return bits;
}

type Random = ReturnType<typeof createRandom>;

/** `count` different positions below `elementCount`, ascending, all sets alike. */
function uniform(random: Random, elementCount: number, count: number): Uint32Array {
  // Floyd's sampling: no draw is thrown away.
  const chosen = new Set<number>();
  for (let limit = elementCount - count; limit < elementCount; limit++) {
    const drawn = random.integerBelow(limit + 1);
    chosen.add(chosen.has(drawn) ? limit : drawn);
  }
  return Uint32Array.from(chosen).sort();
}

/** `count` positions in `clusterCount` stretches of the vector, each as dense as `densityInside`. */
function clustered(
  random: Random,
  elementCount: number,
  count: number,
  clusterCount: number,
  densityInside: number,
): Uint32Array {
  const perCluster = Math.ceil(count / clusterCount);
  const stretch = Math.ceil(perCluster / densityInside);
  const every = Math.floor(elementCount / clusterCount);
  assert.ok(stretch <= every, 'clusters do not touch');
  const chosen = new Set<number>();
  for (let cluster = 0; cluster < clusterCount && chosen.size < count; cluster++) {
    const start = cluster * every + random.integerBelow(every - stretch + 1);
    for (const inside of uniform(random, stretch, Math.min(perCluster, count - chosen.size))) {
      chosen.add(start + inside);
    }
  }
  return Uint32Array.from(chosen).sort();
}

function assertWithinBound(indices: Uint32Array, elementCount: number, what: string): void {
  const bytes = encode(indices, elementCount);
  const bitsPerIndex = (8 * bytes.length) / indices.length;
  const bound = entropyBits(elementCount, indices.length) / indices.length;
  assert.ok(
    bitsPerIndex <= OVERHEAD_MAX * bound,
    `${what}: ${bitsPerIndex.toFixed(3)} bits per index, ${bound.toFixed(3)} in them`,
  );
  assert.deepEqual(decode(bytes, indices.length, elementCount), indices);
}

describe('positions', () => {
  for (const density of [1e-4, 1e-3, 1e-2, 0.1, 0.25, 0.5]) {
    const count = Math.round(density * ELEMENT_COUNT);

    it(`uniform, of density ${density}, take at most 1.05 of their information`, () => {
      assertWithinBound(uniform(createRandom(seed), ELEMENT_COUNT, count), ELEMENT_COUNT, 'uniform');
    });

    for (const [clusterCount, densityInside] of [
      [1, 0.9],
      [10, 0.6],
      [30, 0.75],
    ] as const) {
      it(`in ${clusterCount} clusters, of density ${density}, do not take more than that`, () => {
        const indices = clustered(createRandom(seed), ELEMENT_COUNT, count, clusterCount, densityInside);
        assertWithinBound(indices, ELEMENT_COUNT, 'clustered');
      });
    }
  }

  it('in tensors of very different density take less than if they were uniform', () => {
    // 900,000 weights of which one in a thousand changes, and 100,000 of which every second one does.
    const random = createRandom(seed);
    const sparse = uniform(random, 900_000, 900);
    const dense = uniform(random, 100_000, 50_000).map((index) => 900_000 + index);
    const indices = Uint32Array.from([...sparse, ...dense]);
    const bytes = encode(indices, ELEMENT_COUNT);
    const bound = entropyBits(900_000, 900) + entropyBits(100_000, 50_000);
    assert.ok(8 * bytes.length <= OVERHEAD_MAX * bound, `${bytes.length} bytes for ${bound / 8}`);
  });

  it('come back, whatever they are', () => {
    const gaps = fc.array(fc.oneof(fc.constant(0), fc.nat({ max: 20 }), fc.nat({ max: 1_000_000 })), {
      minLength: 1,
      maxLength: 300,
    });
    fc.assert(
      fc.property(gaps, fc.oneof(fc.nat({ max: 5 }), fc.nat({ max: 2 ** 20 })), (drawn, behind) => {
        let index = -1;
        const indices = Uint32Array.from(drawn, (gap) => {
          index += gap + 1;
          return index;
        });
        const elementCount = index + 1 + behind;
        assert.deepEqual(decode(encode(indices, elementCount), indices.length, elementCount), indices);
      }),
      { numRuns: 300 },
    );
  });

  it('at both ends of the largest model come back', () => {
    for (const indices of [[0], [2 ** 28 - 1], [0, 2 ** 28 - 1], [2 ** 28 - 2, 2 ** 28 - 1]]) {
      const bytes = encode(Uint32Array.from(indices), 2 ** 28);
      assert.deepEqual([...decode(bytes, indices.length, 2 ** 28)], indices);
    }
  });
});
