/** Byte strings of snapshot chunks, valid and invalid, and what the encoder makes of weights of one kind and another. */
import { strict as assert } from 'node:assert';
import { describe, it } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import { FreshetError } from '@freshet/protocol/errors';
import { SNAPSHOT_CHUNK_BYTES, SNAPSHOT_EXPANSION_MAX } from '@freshet/protocol/limits';
import {
  decodeSnapshotChunk,
  encodeSnapshotChunk,
  SNAPSHOT_CHUNK_ELEMENTS,
  snapshotChunkCount,
  snapshotChunkElements,
} from '@freshet/protocol/snapshot-chunk';
import { createRandom } from '@freshet/trainer/core/random';
import { growthDuring } from '../support/memory.ts';
import { seed } from '../support/seed.ts';
import { assertSameBits, weightsOfBits } from '../support/weights.ts';

const bytesOf = (hex: string) => Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'));

function isMalformed(error: unknown): boolean {
  return error instanceof FreshetError && error.code === 'SNAPSHOT_MALFORMED';
}

/** A plane as it stands in a chunk when it is compressed. */
function framed(bytes: Uint8Array, length = bytes.length): Uint8Array {
  const header = Buffer.alloc(4);
  header.writeUInt32LE(length);
  return Buffer.concat([header, bytes]);
}

/** Normally distributed, by Box and Muller: what a layer starts out with. */
function normalWeights(count: number, deviation: number): Float32Array {
  const random = createRandom(seed);
  const uniform = () => (random.integerBelow(2 ** 31) + 1) / (2 ** 31 + 1);
  return Float32Array.from(
    { length: count },
    () => deviation * Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform()),
  );
}

describe('the bytes of a chunk', () => {
  // 1.0 is 3f800000, rotated 7f000000; −2.0 is c0000000, rotated 80000001.
  const weights = weightsOfBits([0x3f80_0000, 0xc000_0000]);

  it('are the weights themselves where compression does not pay', () => {
    assert.deepEqual(encodeSnapshotChunk(weights), bytesOf('00 0000803f 000000c0'));
  });

  it('are planes of rotated bits, compressed or not, whatever an encoder has chosen', () => {
    const plane = (hex: string) => framed(zstdCompressSync(bytesOf(hex)));
    const highest = Buffer.concat([bytesOf('08 0001 0000 0000'), plane('7f80')]);
    assertSameBits(decodeSnapshotChunk(highest, 2), weights);
    const all = [bytesOf('0f'), plane('0001'), plane('0000'), plane('0000'), plane('7f80')];
    assertSameBits(decodeSnapshotChunk(Buffer.concat(all), 2), weights);
  });

  it('are one byte for a model without weights', () => {
    assert.deepEqual(encodeSnapshotChunk(new Float32Array(0)), Uint8Array.of(0));
    assert.equal(decodeSnapshotChunk(Uint8Array.of(0), 0).length, 0);
  });

  it('are copied out of the Buffer that they came in', () => {
    const frame = Buffer.from(encodeSnapshotChunk(weights));
    const decoded = decodeSnapshotChunk(frame, 2);
    frame.fill(0xff);
    assertSameBits(decoded, weights);
  });
});

describe('a malformed chunk', () => {
  const plane = zstdCompressSync(bytesOf('7f80'));
  const invalid: readonly (readonly [string, Uint8Array])[] = [
    ['nothing at all', bytesOf('')],
    ['an unknown encoding', bytesOf('10 00000000 00000000')],
    ['too few weights', bytesOf('00 0000803f')],
    ['too many weights', bytesOf('00 0000803f 000000c0 00000000')],
    ['no length of a plane', bytesOf('08 0001 0000 0000 01')],
    [
      'a length beyond the end',
      Buffer.concat([bytesOf('08 0001 0000 0000'), framed(plane, plane.length + 1)]),
    ],
    ['bytes after the end', Buffer.concat([bytesOf('08 0001 0000 0000'), framed(plane), bytesOf('00')])],
    ['a plane that is no frame', Buffer.concat([bytesOf('08 0001 0000 0000'), framed(bytesOf('7f80'))])],
    ['a plane of nothing', Buffer.concat([bytesOf('08 0001 0000 0000'), framed(bytesOf(''))])],
    [
      'a frame that is cut short',
      Buffer.concat([bytesOf('08 0001 0000 0000'), framed(plane.subarray(0, -1))]),
    ],
    [
      'bytes after a frame',
      Buffer.concat([bytesOf('08 0001 0000 0000'), framed(Buffer.concat([plane, bytesOf('00')]))]),
    ],
    [
      'a plane that is too short',
      Buffer.concat([bytesOf('08 0001 0000 0000'), framed(zstdCompressSync(bytesOf('7f')))]),
    ],
    [
      'a plane that is too long',
      Buffer.concat([bytesOf('08 0001 0000 0000'), framed(zstdCompressSync(bytesOf('7f8000')))]),
    ],
  ];
  for (const [what, bytes] of invalid) {
    it(`with ${what} is refused`, () => assert.throws(() => decodeSnapshotChunk(bytes, 2), isMalformed));
  }

  it('that expands beyond the bound is refused before anything is decoded', () => {
    const zeros = framed(zstdCompressSync(new Uint8Array(SNAPSHOT_CHUNK_ELEMENTS)));
    const bytes = Buffer.concat([bytesOf('0f'), zeros, zeros, zeros, zeros]);
    assert(bytes.length < SNAPSHOT_CHUNK_BYTES / SNAPSHOT_EXPANSION_MAX);
    assert.throws(() => decodeSnapshotChunk(bytes, SNAPSHOT_CHUNK_ELEMENTS), isMalformed);
  });

  it('that holds a bomb costs no memory', () => {
    const bomb = framed(zstdCompressSync(new Uint8Array(256 * 1024 * 1024)));
    // The frame alone announces more than a plane, and a window of megabytes; the other planes pay for its expansion.
    const rest = new Uint8Array(3 * SNAPSHOT_CHUNK_ELEMENTS);
    const bytes = Buffer.concat([bytesOf('08'), rest, bomb]);
    const { arrayBufferBytes, peakBytes } = growthDuring(() => {
      assert.throws(() => decodeSnapshotChunk(bytes, SNAPSHOT_CHUNK_ELEMENTS), isMalformed);
    });
    assert(arrayBufferBytes < 2 * SNAPSHOT_CHUNK_BYTES, `${arrayBufferBytes} bytes of buffers`);
    assert(peakBytes < 8 * 1024 * 1024, `${peakBytes} bytes at the peak`);
  });
});

describe('what the encoder chooses', () => {
  it('saves a seventh of weights as a layer starts out with them', () => {
    const weights = normalWeights(SNAPSHOT_CHUNK_ELEMENTS, 0.05);
    const bytes = encodeSnapshotChunk(weights);
    assert(bytes.length < 0.86 * SNAPSHOT_CHUNK_BYTES, `${bytes.length} bytes`);
    assertSameBits(decodeSnapshotChunk(bytes, weights.length), weights);
  });

  it('saves more than half of weights that were rounded to bfloat16', () => {
    const bits = new Uint32Array(normalWeights(SNAPSHOT_CHUNK_ELEMENTS, 0.05).buffer).map(
      (each) => each & ~0xffff,
    );
    const bytes = encodeSnapshotChunk(weightsOfBits(bits));
    assert(bytes.length < 0.4 * SNAPSHOT_CHUNK_BYTES, `${bytes.length} bytes`);
  });

  it('never expands beyond the bound, not even for weights that are all alike', () => {
    for (const value of [0, 1]) {
      for (const count of [1, 63, 64, 5000, SNAPSHOT_CHUNK_ELEMENTS]) {
        const weights = new Float32Array(count).fill(value);
        const bytes = encodeSnapshotChunk(weights);
        assert(weights.byteLength <= SNAPSHOT_EXPANSION_MAX * bytes.length, `${count} × ${value}`);
        assertSameBits(decodeSnapshotChunk(bytes, count), weights);
      }
    }
  });

  it('is to leave noise as it is', () => {
    const random = createRandom(seed);
    const noise = weightsOfBits(Array.from({ length: 10_000 }, () => random.integerBelow(2 ** 32)));
    assert.equal(encodeSnapshotChunk(noise).length, 1 + noise.byteLength);
  });
});

it('chunks cover the weights without gaps', () => {
  const n = SNAPSHOT_CHUNK_ELEMENTS;
  for (const elementCount of [0, 1, n - 1, n, n + 1, 3 * n, 3 * n + 5]) {
    const counts = Array.from({ length: snapshotChunkCount(elementCount) }, (_, index) =>
      snapshotChunkElements(index, elementCount),
    );
    assert.equal(
      counts.reduce((sum, count) => sum + count, 0),
      elementCount,
    );
    assert(counts.slice(0, -1).every((count) => count === n));
    assert(elementCount === 0 || counts.at(-1)! > 0);
  }
});
