/** Damaged bodies of POST /api/v1/samples: refused with declared errors, or read as samples of the format. */
import { strict as assert } from 'node:assert';
import { describe, it } from 'node:test';
import { FreshetError } from '@freshet/protocol/errors';
import { type BodyType, readSamples } from '@freshet/protocol/local/samples-request';
import { checkSample, inputElementCount, type SampleFormat } from '@freshet/protocol/sample-format';
import fc from 'fast-check';
import { Packr } from 'msgpackr';
import { damage } from '../support/damage.ts';
import { DIGITS, SENSORS } from '../support/sample-logs.ts';
import '../support/seed.ts';

const RUNS = 3000;
const COUNT_MAX = 5;
const packr = new Packr({ useRecords: false });

const element = fc.oneof(fc.nat({ max: 255 }), fc.double(), fc.constant(null));
const input = fc.oneof(
  fc.array(fc.nat({ max: 255 }), { minLength: 6, maxLength: 6 }),
  fc.array(element, { maxLength: 8 }),
  fc.uint8Array({ minLength: 5, maxLength: 17 }),
  fc.base64String({ maxLength: 24 }),
);
const sample = fc.record(
  {
    id: fc.oneof(fc.string({ maxLength: 3 }), fc.nat()),
    input,
    label: fc.oneof(fc.nat({ max: 12 }), fc.double()),
    target: fc.array(element, { maxLength: 3 }),
  },
  { requiredKeys: ['input'] },
);
const body = fc.record({ samples: fc.array(sample, { maxLength: 6 }) });

/** One that nothing is wrong with: hardly ever drawn from all that might be sent. */
function right(format: SampleFormat) {
  const elements = new Array<number>(inputElementCount(format)).fill(1);
  const target =
    format.target.kind === 'class'
      ? { label: 1 }
      : { target: new Array<number>(format.target.elementCount).fill(0.5) };
  return { samples: [{ input: elements, ...target }] };
}

const encode = (type: BodyType, value: unknown): Uint8Array =>
  type === 'json' ? Buffer.from(JSON.stringify(value)) : new Uint8Array(packr.pack(value));

/** How often `bytes` were taken; anything but a declared refusal fails. */
function read(bytes: Uint8Array, type: BodyType, format: SampleFormat): 'good' | 'refused' | 'invalid' {
  try {
    const request = readSamples(bytes, type, format, COUNT_MAX);
    if (request.kind === 'refused') {
      for (const { index, field, reason } of request.refused) {
        assert.ok(index < COUNT_MAX && typeof field === 'string' && !reason.includes('\n'));
      }
      return 'refused';
    }
    for (const { input, target } of request.samples) {
      const raw = typeof target === 'number' ? { input, label: target } : { input, target };
      assert.equal(checkSample(format, raw), null);
    }
    return 'good';
  } catch (error) {
    if (error instanceof FreshetError && error.code === 'INPUT_INVALID') return 'invalid';
    throw error;
  }
}

describe('bodies with samples', () => {
  for (const type of ['json', 'msgpack'] as const) {
    it(`in ${type}, whole and damaged, raise declared errors only`, () => {
      const outcomes = new Map<string, number>();
      fc.assert(
        fc.property(body, body, damage, fc.constantFrom(DIGITS, SENSORS), (value, other, damaged, format) => {
          const whole = encode(type, value);
          const good = encode(type, right(format));
          const mixed = [damaged(whole, encode(type, other)), damaged(good, whole)];
          for (const bytes of [whole, good, ...mixed]) {
            const outcome = read(bytes, type, format);
            outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
          }
        }),
        { numRuns: RUNS },
      );
      assert.deepEqual([...outcomes.keys()].sort(), ['good', 'invalid', 'refused']);
    });
  }
});
