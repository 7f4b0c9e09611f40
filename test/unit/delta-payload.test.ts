/** Byte strings of the delta payload, valid and invalid, written out by hand from PROTOCOL.md. */
import { strict as assert } from 'node:assert';
import { describe, it } from 'node:test';
import { decodeDeltaPayload, encodeDeltaPayload } from '@freshet/protocol/delta-payload';
import { FreshetError } from '@freshet/protocol/errors';

const bytesOf = (hex: string) => Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'));

describe('delta payload', () => {
  it('is the bytes of the worked example', () => {
    const delta = {
      indices: Uint32Array.of(3, 4, 300),
      valueBits: Uint32Array.of(0x3f80_0000, 0x4000_0000, 0x4040_0000), // 1, 2, 3
    };
    // Gaps: 3 − (−1) − 1 = 3; 4 − 3 − 1 = 0; 300 − 4 − 1 = 295 = 0b10_0100111 → a7 02.
    const bytes = bytesOf('01 03 03 00 a702 0000803f 00000040 00004040');
    assert.deepEqual(encodeDeltaPayload(delta), bytes);
    assert.deepEqual(decodeDeltaPayload(bytes, 301), delta);
  });

  it('of no change has two bytes', () => {
    const none = { indices: new Uint32Array(0), valueBits: new Uint32Array(0) };
    assert.deepEqual(encodeDeltaPayload(none), bytesOf('01 00'));
    assert.deepEqual(decodeDeltaPayload(bytesOf('01 00'), 0), none);
  });

  const invalid: readonly (readonly [string, string, string])[] = [
    ['nothing at all', '', 'unknown delta format none'],
    ['an unknown format', '02 00', 'unknown delta format 2'],
    ['no count', '01', 'ends inside a number'],
    ['more changes than weights', '01 0b', '11 changes in a model of 10 weights'],
    ['fewer bytes than changes', '01 02 00 00 0000803f', 'fewer bytes than changes'],
    ['an index outside the model', '01 01 0a 0000803f', 'index 10 outside 10 weights'],
    ['a number that never ends', '01 01 ffffffffff 0000803f', 'more than 32 bits'],
    ['a number over 32 bits', '01 01 ffffffff1f 0000803f', 'more than 32 bits'],
    ['a number in a longer form', '01 01 8000 0000803f', 'not in its shortest form'],
    ['a byte too many', '01 01 00 0000803f 00', 'length of the values'],
  ];
  for (const [what, hex, message] of invalid) {
    it(`refuses ${what}`, () => {
      assert.throws(
        () => decodeDeltaPayload(bytesOf(hex), 10),
        (error) =>
          error instanceof FreshetError &&
          error.code === 'DELTA_MALFORMED' &&
          error.message.includes(message),
      );
    });
  }
});
