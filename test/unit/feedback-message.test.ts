/** What samples look like as a message, and samples as they travel. */
import { strict as assert } from 'node:assert';
import { it } from 'node:test';
import { downstreamCodec, upstreamCodec } from '@freshet/protocol/codec';
import {
  formatOfMessage,
  isCompatible,
  readWireSample,
  sampleByteCount,
  samplesMessage,
  tooLargeToSend,
  wireSampleOf,
} from '@freshet/protocol/feedback';
import { FEEDBACK_SAMPLE_BYTES_MAX, UPSTREAM_FRAME_BYTES_MAX } from '@freshet/protocol/limits';
import type { SampleFormat } from '@freshet/protocol/sample-format';
import fc from 'fast-check';
import { feedbackOf, sampleIdOf } from '../support/feedback.ts';
import { DIGITS, digit, reading, SENSORS } from '../support/sample-logs.ts';
import { seed } from '../support/seed.ts';

const format: fc.Arbitrary<SampleFormat> = fc.record(
  {
    inputShape: fc.array(fc.integer({ min: 1, max: 5 }), { maxLength: 3 }),
    inputType: fc.constantFrom('uint8', 'float32'),
    target: fc.oneof(
      fc.record(
        { kind: fc.constant('class' as const), classCount: fc.integer({ min: 1, max: 2 ** 31 - 1 }) },
        { noNullPrototype: true },
      ),
      fc.record(
        { kind: fc.constant('vector' as const), elementCount: fc.integer({ min: 1, max: 9 }) },
        { noNullPrototype: true },
      ),
    ),
  },
  { noNullPrototype: true },
);

it('a format survives its message', () => {
  fc.assert(
    fc.property(format, (each) => {
      const message = downstreamCodec.decode(downstreamCodec.encode(samplesMessage(each)));
      assert(message.type === 'samples');
      assert.deepEqual(formatOfMessage(message), each);
    }),
    { seed },
  );
});

it('a sample survives its message, bit for bit, wherever its bytes lie in the frame', () => {
  for (const [each, sample] of [
    [DIGITS, digit(300)],
    [SENSORS, reading(7)],
  ] as const) {
    for (const padding of [1, 2, 3, 4]) {
      const before = wireSampleOf(sampleIdOf(1), digit(padding));
      const extra = { ...before, input: new Uint8Array(padding) };
      const frame = upstreamCodec.encode(feedbackOf(1, [extra, wireSampleOf(sampleIdOf(2), sample)]));
      const message = upstreamCodec.decode(frame);
      assert(message.type === 'feedback');
      const { id: _, ...expected } = sample;
      assert.deepEqual(readWireSample(each, message.samples[1]!), expected);
    }
  }
});

it('a sample that is none of the format is refused with its field and the reason', () => {
  const good = wireSampleOf(sampleIdOf(1), digit(1));
  const sensor = wireSampleOf(sampleIdOf(1), reading(1));
  const floats = (...values: number[]) => new Uint8Array(Float32Array.from(values).buffer);
  const cases = [
    [DIGITS, { ...good, input: good.input.subarray(1) }, 'input', 'has 5 bytes; it has to have 6'],
    [DIGITS, { ...good, target: 10 }, 'label', 'is 10; it has to be an integer from 0 to 9'],
    [DIGITS, { ...good, target: floats(1) }, 'target', 'is not for this model: give "label"'],
    [SENSORS, { ...sensor, target: 1 }, 'label', 'is not for this model: give "target"'],
    [SENSORS, { ...sensor, target: floats(1) }, 'target', 'has 4 bytes; it has to have 8'],
    [SENSORS, { ...sensor, target: floats(1, Number.NaN) }, 'target', /NaN at element 1/],
    [
      SENSORS,
      { ...sensor, input: floats(1, 2, Number.POSITIVE_INFINITY, 4) },
      'input',
      /Infinity at element 2/,
    ],
  ] as const;
  for (const [each, wire, field, reason] of cases) {
    const problem = readWireSample(each, wire);
    assert('reason' in problem);
    assert.equal(problem.field, field);
    if (typeof reason === 'string') assert.equal(problem.reason, reason);
    else assert.match(problem.reason, reason);
  }
});

it('the largest sample that can be sent fits a message; a larger one is refused with both numbers', () => {
  const largest: SampleFormat = {
    inputShape: [FEEDBACK_SAMPLE_BYTES_MAX - 4],
    inputType: 'uint8',
    target: { kind: 'class', classCount: 2 ** 31 - 1 },
  };
  assert.equal(sampleByteCount(largest), FEEDBACK_SAMPLE_BYTES_MAX);
  assert.equal(tooLargeToSend(largest), null);
  const input = new Uint8Array(FEEDBACK_SAMPLE_BYTES_MAX - 4);
  const frame = upstreamCodec.encode(
    feedbackOf(2 ** 32 - 1, [wireSampleOf(sampleIdOf(1), { input, target: 2 ** 31 - 2 })]),
  );
  assert.ok(frame.length <= UPSTREAM_FRAME_BYTES_MAX);
  assert.equal(upstreamCodec.decode(frame).type, 'feedback');
  const larger = { ...largest, inputShape: [FEEDBACK_SAMPLE_BYTES_MAX - 3] };
  assert.match(tooLargeToSend(larger) ?? '', /1047553 bytes, and a device can send 1047552/);
});

it('samples of one format are samples of another where everything but the number of classes is the same', () => {
  const classes = (classCount: number): SampleFormat => ({
    ...DIGITS,
    target: { kind: 'class', classCount },
  });
  assert.equal(isCompatible(DIGITS, classes(3)), true);
  assert.equal(isCompatible(DIGITS, { ...DIGITS, inputType: 'float32' }), false);
  assert.equal(isCompatible(DIGITS, { ...DIGITS, inputShape: [6] }), false);
  assert.equal(isCompatible(DIGITS, { ...DIGITS, target: { kind: 'vector', elementCount: 10 } }), false);
  assert.equal(isCompatible(SENSORS, { ...SENSORS, target: { kind: 'vector', elementCount: 3 } }), false);
});
