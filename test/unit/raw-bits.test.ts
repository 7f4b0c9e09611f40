/** Raw bits: from the last byte backwards, the first bit lowest. */
import { strict as assert } from 'node:assert';
import { describe, it } from 'node:test';
import { FreshetError } from '@freshet/protocol/errors';
import { RawBitReader, RawBitWriter } from '@freshet/protocol/payload/raw-bits';
import fc from 'fast-check';
import '../support/seed.ts';

type Bits = readonly [value: number, bitCount: number];

function write(written: readonly Bits[]): Uint8Array {
  const writer = new RawBitWriter();
  for (const [value, bitCount] of written) writer.write(value, bitCount);
  return writer.finish();
}

const isTooShort = (error: unknown) => error instanceof FreshetError && error.code === 'DELTA_MALFORMED';

describe('raw bits', () => {
  it('lie from the end of the last byte on', () => {
    // 1, then 01 (0 above 1), then 11000: from the lowest bit on 1 | 10 | 00011, so 1100 0011; then 9 bits 1 0000 0010.
    const bytes = write([
      [1, 1],
      [0b01, 2],
      [0b11000, 5],
      [0b1_0000_0010, 9],
    ]);
    assert.deepEqual([...bytes], [0b1, 0b0000_0010, 0b1100_0011]);
  });

  it('of 25 to 32 go with their lower 16 first, which changes nothing', () => {
    assert.deepEqual([...write([[0x9234_5678, 32]])], [0x92, 0x34, 0x56, 0x78]);
    assert.deepEqual([...write([[-1, 32]])], [0xff, 0xff, 0xff, 0xff]);
    assert.deepEqual([...write([[0x1ff_ffff, 25]])], [0x01, 0xff, 0xff, 0xff]);
  });

  it('of nothing are no bytes', () => {
    assert.equal(write([]).length, 0);
    assert.equal(write([[7, 0]]).length, 0);
    assert.equal(new RawBitReader(new Uint8Array(0), 0).read(0), 0);
  });

  it('come back as they were written, and no byte before them is looked at', () => {
    const bits = fc.tuple(fc.integer({ min: 0, max: 0xffff_ffff }), fc.integer({ min: 0, max: 32 }));
    fc.assert(
      fc.property(fc.array(bits, { maxLength: 400 }), fc.uint8Array({ maxLength: 5 }), (written, front) => {
        const bytes = write(written);
        assert.equal(bytes.length, Math.ceil(written.reduce((sum, [, bitCount]) => sum + bitCount, 0) / 8));
        const reader = new RawBitReader(Buffer.concat([front, bytes]), front.length);
        for (const [value, bitCount] of written) assert.equal(reader.read(bitCount), value % 2 ** bitCount);
        assert.equal(reader.position, front.length);
        assert.throws(() => reader.read(8), isTooShort);
      }),
    );
  });

  it('end where the reader was told they do', () => {
    const reader = new RawBitReader(new Uint8Array(4), 2);
    assert.equal(reader.read(16), 0);
    assert.throws(() => reader.read(1), isTooShort);
  });
});
