/** Byte strings of the delta payload, valid and invalid, worked out by hand from PROTOCOL.md. */
import { strict as assert } from 'node:assert';
import { describe, it } from 'node:test';
import { bitsOf, type SparseDelta } from '@freshet/protocol/delta';
import {
  type DeltaLayout,
  decodeDeltaIndices,
  decodeDeltaPayload,
  encodeDeltaPayload,
  formatsOfPayload,
} from '@freshet/protocol/delta-payload';
import { FreshetError } from '@freshet/protocol/errors';
import { weightsOfBits } from '../support/weights.ts';

const bytesOf = (hex: string) => Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'));

const LAYOUT: DeltaLayout = { tensors: [{ elementOffset: 0, elementCount: 10 }], elementCount: 10 };
const ONE = 0x3f80_0000;
const ONE_AND_A_HALF = 0x3fc0_0000;
const base = new Float32Array(10).fill(1);

/** Weight 3 becomes 1.5. */
const delta: SparseDelta = { indices: Uint32Array.of(3), valueBits: Uint32Array.of(ONE_AND_A_HALF) };

describe('delta payload', () => {
  /*
   * Header: all tensors f32 (00); one change (01). From 1 to 1.5 there are 2^22 steps, of 23 bits; at exponent 127 and
   * with 23 fraction bits that makes the step exponent 23 + 127 − 23 = 127 (7f).
   *
   * Gap 3. One position among ten: the mean gap is ⌊(10 − 1) / 1⌋ = 9, so it is cut at bit 3: quotient 0, raw bits 011.
   * The prior gives quotient 0 the units [0, 1706) of 4096; the range becomes 1706 × ⌊(2^31 − 1) / 4096⌋ = 894,433,622.
   *
   * 2^22 steps where 127 − 127 + 23 = 23 bits are expected: distance 0, both bits behind the leading one 0, so symbol
   * (0 + 6) × 4 + 0 = 24 with the units [1540, 1805). One unit is ⌊894,433,622 / 4096⌋ = 218,367, so what is coded lies
   * from 1540 × 218,367 = 336,285,180 on, in a range of 265 × 218,367 = 57,867,255. The first byte that is in it
   * whatever follows is 21 (15): 21 × 2^24 = 352,321,536. Raw: sign 0 and the 20 low bits of 2^22, all 0.
   *
   * 24 raw bits, the first ones lowest, from the end: 03, 00, 00.
   */
  const worked = bytesOf('00017f 15 000003');

  it('is the bytes of the worked example', () => {
    assert.deepEqual(encodeDeltaPayload(delta, base, LAYOUT), worked);
    assert.deepEqual(decodeDeltaPayload(worked, base, LAYOUT), delta);
    assert.deepEqual(decodeDeltaIndices(worked, LAYOUT), delta.indices);
    assert.deepEqual(formatsOfPayload(worked, LAYOUT), ['f32']);
  });

  it('is relative to the base: from 2 the same bytes lead to 2.5', () => {
    // The exponent is one more, so 22 bits are expected: the symbol that said 23 now says 22, which are 2^21 steps.
    const two = new Float32Array(10).fill(2);
    const fromTwo = { indices: Uint32Array.of(3), valueBits: Uint32Array.of(0x4020_0000) };
    // It has one raw bit less, which was 0 and the last one.
    assert.deepEqual(decodeDeltaPayload(worked, two, LAYOUT), fromTwo);
  });

  it('as f16 has as many steps as f16 has numbers in between', () => {
    // 2^9 steps of 10 bits; the same symbols, and 9 − 2 = 7 raw bits of the magnitude instead of 20.
    const bytes = bytesOf('01 01 7f 15 00 03');
    assert.deepEqual(encodeDeltaPayload(delta, base, LAYOUT, [{ format: 'f16' }]), bytes);
    assert.deepEqual(decodeDeltaPayload(bytes, base, LAYOUT), delta);
    assert.deepEqual(formatsOfPayload(bytes, LAYOUT), ['f16']);
  });

  it('of no change has two bytes', () => {
    const none = { indices: new Uint32Array(0), valueBits: new Uint32Array(0) };
    assert.deepEqual(encodeDeltaPayload(none, base, LAYOUT), bytesOf('00 00'));
    assert.deepEqual(decodeDeltaPayload(bytesOf('00 00'), base, LAYOUT), none);
    const empty: DeltaLayout = { tensors: [], elementCount: 0 };
    assert.deepEqual(encodeDeltaPayload(none, new Float32Array(0), empty), bytesOf('00 00'));
    assert.deepEqual(decodeDeltaPayload(bytesOf('00 00'), new Float32Array(0), empty), none);
  });

  it('leaves the base as it was, and owns what it gives', () => {
    const held = base.slice();
    const bytes = worked.slice();
    const decoded = decodeDeltaPayload(bytes, held, LAYOUT);
    bytes.fill(0);
    held.fill(0);
    assert.deepEqual(decoded, delta);
    decodeDeltaPayload(worked, base, LAYOUT);
    assert.ok(bitsOf(base).every((bits) => bits === ONE));
  });

  it('refuses to encode a value that its format does not have', () => {
    // 1 + 2^−23 is no number of f16.
    const odd = { indices: Uint32Array.of(3), valueBits: Uint32Array.of(ONE + 1) };
    assert.throws(() => encodeDeltaPayload(odd, base, LAYOUT, [{ format: 'f16' }]), RangeError);
    assert.throws(
      () => encodeDeltaPayload(delta, base, LAYOUT, [{ format: 'q8' }]),
      /has format q8 and no scale/,
    );
  });
});

describe('a delta payload is refused', () => {
  // Quotient 0 and a symbol near the end of those for steps: 4020 × 218,367, as four bytes.
  const longStep = '3452 a54c';
  const invalid: readonly (readonly [string, string, string])[] = [
    ['that is nothing at all', '', 'ends inside its header'],
    ['of an unknown format', '05 00', 'no value format has the number 5'],
    ['without a count', '00', 'ends inside its header'],
    ['without a step exponent', '00 01', 'ends inside its header'],
    ['with more changes than weights', '00 0b 7f ffff', '11 changes in a model of 10 weights'],
    ['with fewer bits than changes', '00 09 7f 15', 'fewer bits than changes'],
    ['that ends behind its header', '00 01 7f', 'fewer bits than changes'],
    ['that goes on behind no changes', '00 00 00', 'bytes after no changes'],
    ['with a number that never ends', '00 ffffffffff 7f', 'more than 32 bits'],
    ['with a number over 32 bits', '00 ffffffff1f 7f', 'more than 32 bits'],
    ['with a number in a longer form', '00 8100 7f 15 000003', 'not in its shortest form'],
    ['with too few raw bits', '00 01 7f 15 00', 'it ends too early'],
    ['with four bytes too many', '00 01 7f 15 00000000 000003', 'symbols and raw bits do not meet'],
    ['with a position outside the model', '00 01 7f ffffffff ffffff', 'a position outside 10 weights'],
    ['with a gap that never ends', '00 01 7f ffffffff 00000000 00000000', 'a gap of more than 28 bits'],
    ['with a step of less than no bits', '00 01 00 00 000003', 'a step of less than no bits'],
    ['with a step of more than 32 bits', `00 01 ff ${longStep} 000003`, 'a step of more than 32 bits'],
    ['with a scale of 0', '03 01 00 15 000003', 'a scale that is not a positive number'],
  ];
  for (const [what, hex, message] of invalid) {
    it(what, () => {
      assert.throws(() => decodeDeltaPayload(bytesOf(hex), base, LAYOUT), isMalformed(message));
    });
  }

  it('with a step beyond the last number of its format', () => {
    // The last NaN of f16, and one step up.
    const last = weightsOfBits(new Uint32Array(10).fill(0x7fff_ffff));
    const message = 'a step beyond the last number of its format';
    assert.throws(() => decodeDeltaPayload(bytesOf('01 01 7f 15 0003'), last, LAYOUT), isMalformed(message));
  });
});

function isMalformed(message: string): (error: unknown) => boolean {
  return (error) =>
    error instanceof FreshetError && error.code === 'DELTA_MALFORMED' && error.message.includes(message);
}
