/** The header of a payload: formats of all tensors, or of runs of them, and the count. */
import { strict as assert } from 'node:assert';
import { describe, it } from 'node:test';
import { FreshetError } from '@freshet/protocol/errors';
import { decodeHeader, encodeHeader } from '@freshet/protocol/payload/payload-header';
import { RANKED_COUNT_MAX } from '@freshet/protocol/payload/set-rank';
import { VALUE_FORMATS, type ValueFormat } from '@freshet/protocol/payload/value-format';
import fc from 'fast-check';
import '../support/seed.ts';

const hex = (bytes: readonly number[]) => Buffer.from(bytes).toString('hex');
const headerOf = (formats: readonly ValueFormat[], count = 0) =>
  encodeHeader({ formats, count, ranked: false, stepExponent: count === 0 ? 0 : 120 });

describe('payload header', () => {
  it('names one format for all tensors by its number', () => {
    for (const [number, format] of VALUE_FORMATS.entries()) {
      assert.deepEqual(headerOf([format, format, format]), [number, 0]);
    }
    assert.deepEqual(headerOf(['q4'], 5), [4, 5, 120]);
    assert.deepEqual(headerOf([]), [0, 0], 'of a model without tensors');
  });

  it('names several by runs, as short as they can be', () => {
    // Mixed; 2 of f16 (1), 1 of f32 (0), 300 of q8 (3): 300 = 0b10_0101100 → ac 02. Then 200 changes: c8 01.
    const formats: ValueFormat[] = ['f16', 'f16', 'f32', ...new Array<ValueFormat>(300).fill('q8')];
    assert.equal(hex(headerOf(formats, 200)), '0702010100ac0203c80178');
  });

  it('says in bit 3 that positions are a rank', () => {
    assert.deepEqual(encodeHeader({ formats: ['q4'], count: 5, ranked: true, stepExponent: 9 }), [12, 5, 9]);
    const mixed = encodeHeader({ formats: ['f32', 'f16'], count: 5, ranked: true, stepExponent: 9 });
    assert.equal(hex(mixed), '0f010001010509');
  });

  it('comes back as it was', () => {
    const header = fc.record(
      {
        formats: fc.array(fc.constantFrom(...VALUE_FORMATS), { maxLength: 40 }),
        count: fc.oneof(fc.nat({ max: 300 }), fc.integer({ min: 0, max: 0xffff_ffff })),
        ranked: fc.boolean(),
        stepExponent: fc.nat({ max: 255 }),
      },
      { noNullPrototype: true },
    );
    fc.assert(
      fc.property(header, fc.uint8Array({ maxLength: 5 }), (drawn, rest) => {
        const { count } = drawn;
        const ranked = drawn.ranked && count > 0 && count <= RANKED_COUNT_MAX;
        const expected = { ...drawn, ranked, stepExponent: count === 0 ? 0 : drawn.stepExponent };
        const bytes = encodeHeader(expected);
        const decoded = decodeHeader(Uint8Array.from([...bytes, ...rest]), drawn.formats.length);
        assert.deepEqual(decoded, { header: expected, end: bytes.length });
      }),
    );
  });

  const invalid: readonly (readonly [string, string, string])[] = [
    ['an unknown format', '05', 'no value format has the number 5'],
    ['an unknown format in a run', '07 03 06 00', 'no value format has the number 6'],
    ['a run of no tensors', '07 00 00 03 01 00', 'formats for 0 of 3 tensors'],
    ['a run beyond the last tensor', '07 02 00 02 01 00', 'formats for 4 of 3 tensors'],
    ['a run of four billion tensors', '07 ffffffff0f 00', 'of 3 tensors'],
    ['a rank of no positions', '08 00', 'a rank for 0 positions'],
    ['a rank of 65 positions', '08 41 00', 'a rank for 65 positions'],
    ['an unknown bit', '10 00', 'a first byte of more than four bits'],
    ['runs that end too early', '07 02 00', 'ends inside its header'],
  ];
  for (const [what, bytes, message] of invalid) {
    it(`refuses ${what}`, () => {
      assert.throws(
        () => decodeHeader(Buffer.from(bytes.replaceAll(' ', ''), 'hex'), 3),
        (error) =>
          error instanceof FreshetError &&
          error.code === 'DELTA_MALFORMED' &&
          error.message.includes(message),
      );
    });
  }
});
