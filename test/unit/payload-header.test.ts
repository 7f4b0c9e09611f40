/** The header of a payload: formats of all tensors, or of runs of them, and the count. */
import { strict as assert } from 'node:assert';
import { describe, it } from 'node:test';
import { FreshetError } from '@freshet/protocol/errors';
import { decodeHeader, encodeHeader } from '@freshet/protocol/payload/payload-header';
import { VALUE_FORMATS, type ValueFormat } from '@freshet/protocol/payload/value-format';
import fc from 'fast-check';
import '../support/seed.ts';

const hex = (bytes: readonly number[]) => Buffer.from(bytes).toString('hex');
const headerOf = (formats: readonly ValueFormat[], count = 0) =>
  encodeHeader({ formats, count, stepExponent: count === 0 ? 0 : 120 });

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

  it('comes back as it was', () => {
    const header = fc.record(
      {
        formats: fc.array(fc.constantFrom(...VALUE_FORMATS), { maxLength: 40 }),
        count: fc.oneof(fc.nat({ max: 300 }), fc.integer({ min: 0, max: 0xffff_ffff })),
        stepExponent: fc.nat({ max: 255 }),
      },
      { noNullPrototype: true },
    );
    fc.assert(
      fc.property(header, fc.uint8Array({ maxLength: 5 }), (drawn, rest) => {
        const expected = drawn.count === 0 ? { ...drawn, stepExponent: 0 } : drawn;
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
