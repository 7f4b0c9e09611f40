/** What is a sample of a format and what is not; each refusal names field and reason. */
import { strict as assert } from 'node:assert';
import { describe, it } from 'node:test';
import {
  checkSample,
  inputElementCount,
  type RawSample,
  type SampleFormat,
} from '@freshet/protocol/sample-format';

const image: SampleFormat = {
  inputShape: [2, 2, 1],
  inputType: 'uint8',
  target: { kind: 'class', classCount: 3 },
};
const sensor: SampleFormat = {
  inputShape: [3],
  inputType: 'float32',
  target: { kind: 'vector', elementCount: 2 },
};

const GOOD: readonly [string, SampleFormat, RawSample][] = [
  ['a list of bytes', image, { input: [0, 255, 7, 1], label: 2 }],
  ['a byte array', image, { input: Uint8Array.of(1, 2, 3, 4), label: 0 }],
  ['bytes in floats', image, { input: Float32Array.of(1, 2, 3, 255), label: 0 }],
  ['a list of numbers', sensor, { input: [0.1, -1e30, 3], target: [1, 2] }],
  ['float arrays', sensor, { input: Float64Array.of(1, 2, 3), target: Float32Array.of(0, 0.5) }],
];

const BAD: readonly [string, SampleFormat, RawSample, string, RegExp][] = [
  ['no input', image, { label: 1 }, 'input', /is missing: give 4 uint8 elements \(shape \[2, 2, 1\]/],
  ['text', image, { input: 'abcd', label: 1 }, 'input', /is not a list of numbers: give 4/],
  ['an object with a length', image, { input: { length: 4 }, label: 1 }, 'input', /is not a list/],
  ['big integers', image, { input: BigInt64Array.of(1n, 2n, 3n, 4n), label: 1 }, 'input', /is not a list/],
  ['too few elements', image, { input: [1, 2, 3], label: 1 }, 'input', /has 3 elements; it has to have 4/],
  ['nested rows', image, { input: [[1], [2], [3], [4]], label: 1 }, 'input', /has a list at element 0/],
  ['256', image, { input: [0, 0, 256, 0], label: 1 }, 'input', /has 256 at element 2; .* 0 to 255/],
  ['-1', image, { input: [-1, 0, 0, 0], label: 1 }, 'input', /has -1 at element 0/],
  ['half a byte', image, { input: [0, 0.5, 0, 0], label: 1 }, 'input', /has 0.5 at element 1/],
  ['a byte in text', image, { input: [0, '5', 0, 0], label: 1 }, 'input', /has a string at element 1/],
  ['NaN', sensor, { input: [0, Number.NaN, 0], target: [1, 2] }, 'input', /has NaN at element 1; .*finite/],
  ['too large for float32', sensor, { input: [1e39, 0, 0], target: [1, 2] }, 'input', /1e\+39 at element 0/],
  ['null', sensor, { input: [0, 0, null], target: [1, 2] }, 'input', /has null at element 2; .*numbers/],
  ['a hole', sensor, { input: new Array(3), target: [1, 2] }, 'input', /has nothing at element 0/],
  ['no label', image, { input: [1, 2, 3, 4] }, 'label', /is missing: give an integer from 0 to 2/],
  ['a class too high', image, { input: [1, 2, 3, 4], label: 3 }, 'label', /is 3; .* from 0 to 2/],
  ['a negative class', image, { input: [1, 2, 3, 4], label: -1 }, 'label', /is -1/],
  ['half a class', image, { input: [1, 2, 3, 4], label: 1.5 }, 'label', /is 1.5/],
  ['a class in text', image, { input: [1, 2, 3, 4], label: '1' }, 'label', /is a string/],
  [
    'a vector for a class',
    image,
    { input: [1, 2, 3, 4], target: [1] },
    'target',
    /not for this model.*"label"/,
  ],
  ['a class for a vector', sensor, { input: [1, 2, 3], label: 1 }, 'label', /not for this model.*"target"/],
  ['no vector', sensor, { input: [1, 2, 3] }, 'target', /is missing: give 2 numbers/],
  ['a short vector', sensor, { input: [1, 2, 3], target: [1] }, 'target', /has 1 elements/],
  ['an infinite target', sensor, { input: [1, 2, 3], target: [1, 1 / 0] }, 'target', /Infinity at element 1/],
];

describe('checkSample', () => {
  for (const [what, format, raw] of GOOD) {
    it(`takes ${what}`, () => assert.equal(checkSample(format, raw), null));
  }
  for (const [what, format, raw, field, reason] of BAD) {
    it(`refuses ${what}`, () => {
      const problem = checkSample(format, raw);
      assert.equal(problem?.field, field);
      assert.match(problem.reason, reason);
    });
  }

  it('counts the elements of an input', () => assert.equal(inputElementCount(image), 4));
});
