/** Inference requests: what is taken, bit for bit, and what is refused, with the field named. */
import { strict as assert } from 'node:assert';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseInferRequest } from '../../edge-agent/core/oip-request.ts';
import type { Datatype, ModelSignature, NamedTensor } from '../../edge-agent/core/tensor.ts';
import { valuesFromJson, valuesToJson } from '../../edge-agent/core/tensor-json.ts';
import '../support/seed.ts';
import { freshetError } from '../support/serving.ts';

const SIGNATURE: ModelSignature = {
  inputs: [
    { name: 'x', datatype: 'FP32', shape: [-1, 2] },
    { name: 'k', datatype: 'INT64', shape: [] },
  ],
  outputs: [
    { name: 'y', datatype: 'FP32', shape: [-1, 1] },
    { name: 'z', datatype: 'INT32', shape: [1] },
  ],
};
const LIMITS = { elementCountMax: 8 };

const X = { name: 'x', shape: [1, 2], datatype: 'FP32', data: [1, 2] };
const K = { name: 'k', shape: [1], datatype: 'INT64', data: [7] };

const parse = (request: unknown, signature = SIGNATURE) =>
  parseInferRequest(JSON.stringify(request), signature, LIMITS);

describe('inference request', () => {
  it('is read with its id, tensors and outputs', () => {
    const request = parse({
      id: 'a1',
      parameters: { ignored: true },
      inputs: [K, { ...X, shape: [2, 2], data: [1, -0.5, 3e-9, 0.1], parameters: {} }],
      outputs: [{ name: 'z', parameters: { binary_data: false } }],
    });
    assert.deepEqual(request, {
      id: 'a1',
      inputs: [
        { name: 'k', datatype: 'INT64', shape: [1], values: BigInt64Array.of(7n) },
        { name: 'x', datatype: 'FP32', shape: [2, 2], values: Float32Array.of(1, -0.5, 3e-9, 0.1) },
      ],
      outputs: ['z'],
    });
  });

  it('asks for all outputs where it names none', () => {
    assert.deepEqual(parse({ inputs: [X, K] }).outputs, ['y', 'z']);
    assert.deepEqual(parse({ inputs: [X, K], outputs: [] }).outputs, ['y', 'z']);
    assert.equal(parse({ inputs: [X, K] }).id, null);
  });

  it('may nest its contents as the shape does', () => {
    const nested = {
      ...X,
      shape: [2, 2],
      data: [
        [1, 2],
        [3, 4],
      ],
    };
    assert.deepEqual(parse({ inputs: [nested, K] }).inputs[0]?.values, Float32Array.of(1, 2, 3, 4));
  });

  const refused: readonly (readonly [string, unknown, string])[] = [
    ['a body that is no object', 5, 'the body must be an object, not 5'],
    ['no inputs', {}, 'inputs is missing'],
    ['inputs that are no array', { inputs: X }, 'inputs must be an array, not Object'],
    ['an id that is no string', { id: 5, inputs: [X, K] }, 'id must be a string, not 5'],
    ['an input without a name', { inputs: [{ ...X, name: undefined }] }, 'inputs[0].name is missing'],
    ['an input without contents', { inputs: [K, { ...X, data: undefined }] }, 'inputs[1].data is missing'],
    ['contents that are no array', { inputs: [{ ...X, data: 1 }] }, 'inputs[0].data must be an array, not 1'],
    [
      'a broken dimension',
      { inputs: [{ ...X, shape: [1, 2.5] }] },
      'inputs[0].shape[1] must be a whole number',
    ],
    [
      'an empty dimension',
      { inputs: [{ ...X, shape: [0, 2] }] },
      'shape[0] must be a whole number of at least 1',
    ],
    ['outputs that are no objects', { inputs: [X], outputs: ['y'] }, 'outputs[0] must be an object, not "y"'],
    [
      'an unknown input',
      { inputs: [{ ...X, name: 'q' }] },
      'inputs[0]: the model has no input "q"; it has "x", "k"',
    ],
    ['a missing input', { inputs: [X] }, 'inputs: "k" is missing'],
    ['an input twice', { inputs: [X, X, K] }, 'inputs[1]: input "x" is given twice'],
    [
      'another datatype',
      { inputs: [{ ...X, datatype: 'FP64' }] },
      'inputs[0].datatype: input "x" is FP32, not FP64',
    ],
    [
      'an unknown datatype',
      { inputs: [{ ...X, datatype: 'float' }] },
      'unknown datatype "float"; input "x" is FP32',
    ],
    ['BYTES', { inputs: [{ ...X, datatype: 'BYTES' }] }, 'BYTES tensors are not supported'],
    ['another rank', { inputs: [{ ...X, shape: [2] }] }, 'input "x" is [-1, 2] (-1: any length), not [2]'],
    [
      'another length',
      { inputs: [{ ...X, shape: [1, 3] }] },
      'input "x" is [-1, 2] (-1: any length), not [1, 3]',
    ],
    [
      'too few elements',
      { inputs: [{ ...X, data: [1] }] },
      'inputs[0].data has 1 elements, but shape [1, 2] holds 2',
    ],
    [
      'too many elements for one request',
      { inputs: [K, { ...X, shape: [4, 2], data: [] }] },
      'inputs[1].shape: more than 8 elements',
    ],
    ['a shape beyond all bounds', { inputs: [{ ...X, shape: [2 ** 52, 2] }] }, 'more than 8 elements'],
    [
      'a row too short',
      { inputs: [{ ...X, data: [[1]] }] },
      'depth 1 has 1 elements, but dimension 1 of shape [1, 2] is 2',
    ],
    [
      'a row too many',
      {
        inputs: [
          {
            ...X,
            data: [
              [1, 2],
              [1, 2],
            ],
          },
        ],
      },
      'depth 0 has 2 elements',
    ],
    [
      'a number for a row',
      { inputs: [{ ...X, shape: [2, 2], data: [[1, 2], 3] }] },
      '3 stands where an array',
    ],
    [
      'a row for a number',
      { inputs: [{ ...X, data: [1, [2]] }] },
      'inputs[0].data: element 1 is [2], which is no FP32',
    ],
    ['text for a number', { inputs: [{ ...X, data: [1, '2'] }] }, 'element 1 is "2", which is no FP32'],
    [
      'null for a number',
      {
        inputs: [
          {
            ...X,
            shape: [2, 2],
            data: [
              [1, 2],
              [3, null],
            ],
          },
        ],
      },
      'element 3 is null',
    ],
    [
      'an unknown output',
      { inputs: [X, K], outputs: [{ name: 'q' }] },
      'outputs[0]: the model has no output "q"; it has "y", "z"',
    ],
    [
      'an output twice',
      { inputs: [X, K], outputs: [{ name: 'y' }, { name: 'y' }] },
      'outputs[1]: output "y" is asked for twice',
    ],
  ];
  for (const [what, request, message] of refused) {
    it(`refuses ${what}`, () => assert.throws(() => parse(request), freshetError('INPUT_INVALID', message)));
  }

  it('refuses what is not JSON, and JSON numbers that are infinite', () => {
    const body = JSON.stringify({ inputs: [{ ...X, data: [1, 'HUGE'] }] }).replace('"HUGE"', '1e999');
    assert.throws(
      () => parseInferRequest(body, SIGNATURE, LIMITS),
      freshetError('INPUT_INVALID', 'element 1 is Infinity, which is no FP32'),
    );
    for (const text of ['', '{', '{"inputs":[NaN]}']) {
      const act = () => parseInferRequest(text, SIGNATURE, LIMITS);
      assert.throws(act, freshetError('INPUT_INVALID', 'the body is not JSON'));
    }
  });

  it('refuses FP16 both ways, since JSON has no form for it', () => {
    const half = { name: 'h', datatype: 'FP16', shape: [1] } as const;
    const input = { name: 'h', shape: [1], datatype: 'FP16', data: [1] };
    assert.throws(
      () => parse({ inputs: [input] }, { inputs: [half], outputs: SIGNATURE.outputs }),
      freshetError('INPUT_INVALID', 'inputs[0].data: FP16 cannot be sent as JSON'),
    );
    assert.throws(
      () => parse({ inputs: [X, K] }, { inputs: SIGNATURE.inputs, outputs: [half] }),
      freshetError('INPUT_INVALID', 'outputs: "h" is FP16'),
    );
  });
});

describe('tensor contents', () => {
  const read = (datatype: Datatype, ...content: unknown[]) =>
    valuesFromJson(content, datatype, [content.length], 'data');

  const taken: readonly (readonly [Datatype, readonly unknown[], NamedTensor['values']])[] = [
    ['BOOL', [true, false], Uint8Array.of(1, 0)],
    ['INT8', [-128, 127], Int8Array.of(-128, 127)],
    ['UINT8', [0, 255], Uint8Array.of(0, 255)],
    ['INT16', [-32768, 32767], Int16Array.of(-32768, 32767)],
    ['UINT16', [0, 65535], Uint16Array.of(0, 65535)],
    ['INT32', [-(2 ** 31), 2 ** 31 - 1], Int32Array.of(-(2 ** 31), 2 ** 31 - 1)],
    ['UINT32', [0, 2 ** 32 - 1], Uint32Array.of(0, 2 ** 32 - 1)],
    ['INT64', [-5, '-9223372036854775808'], BigInt64Array.of(-5n, -(2n ** 63n))],
    ['UINT64', ['18446744073709551615'], BigUint64Array.of(2n ** 64n - 1n)],
    ['FP32', [0.1, -0, 3.4028234663852886e38], Float32Array.of(0.1, -0, 3.4028234663852886e38)],
    ['FP64', [0.1, 1.7976931348623157e308], Float64Array.of(0.1, 1.7976931348623157e308)],
  ];
  for (const [datatype, content, values] of taken) {
    it(`of ${datatype} are taken exactly`, () => assert.deepEqual(read(datatype, ...content), values));
  }

  const refused: readonly (readonly [Datatype, unknown])[] = [
    ['BOOL', 1],
    ['INT8', 128],
    ['UINT8', -1],
    ['INT32', 0.5],
    ['UINT32', 2 ** 32],
    ['INT64', 2 ** 53],
    ['INT64', 1.5],
    ['INT64', '9223372036854775808'],
    ['INT64', '12x'],
    ['INT64', ''],
    ['UINT64', -1],
    ['UINT64', '18446744073709551616'],
    ['FP32', 3.5e38],
    ['FP64', true],
  ];
  for (const [datatype, value] of refused) {
    it(`of ${datatype} cannot be ${JSON.stringify(value)}`, () => {
      const valid = datatype === 'BOOL' ? true : 0;
      const message = `data: element 1 is ${JSON.stringify(value)}, which is no ${datatype}`;
      assert.throws(() => read(datatype, valid, value), freshetError('INPUT_INVALID', message));
    });
  }

  it('come back from JSON as they went, in every datatype', () => {
    const values = fc.oneof(
      fc.float32Array({ noNaN: true, noDefaultInfinity: true }).map((v) => ['FP32', v] as const),
      fc.float64Array({ noNaN: true, noDefaultInfinity: true }).map((v) => ['FP64', v] as const),
      fc.bigInt64Array().map((v) => ['INT64', v] as const),
      fc.bigUint64Array().map((v) => ['UINT64', v] as const),
      fc.int16Array().map((v) => ['INT16', v] as const),
      fc.uint32Array().map((v) => ['UINT32', v] as const),
      fc.uint8Array({ max: 1 }).map((v) => ['BOOL', v] as const),
    );
    fc.assert(
      fc.property(values, ([datatype, before]) => {
        const shape = [before.length];
        const json = JSON.stringify(valuesToJson({ name: 't', datatype, shape, values: before }));
        const after = valuesFromJson(JSON.parse(json), datatype, shape, 'data');
        // JSON has no minus zero: JSON.stringify writes 0.
        for (const [i, value] of before.entries()) assert.ok(value === after[i]);
      }),
    );
  });

  it('with NaN or infinity are refused on the way out', () => {
    const tensor = {
      name: 'y',
      datatype: 'FP32',
      shape: [2],
      values: Float32Array.of(1, Number.NaN),
    } as const;
    assert.throws(() => valuesToJson(tensor), freshetError('PREDICTOR_FAILED', 'NaN in output "y"'));
  });
});

describe('any JSON', () => {
  it('is either taken or refused with INPUT_INVALID in one line', () => {
    const field = <Value>(valid: Value) =>
      fc.oneof({ weight: 3, arbitrary: fc.constant(valid) }, { weight: 1, arbitrary: fc.jsonValue() });
    const input = fc.record(
      { name: field('x'), shape: field([1, 2]), datatype: field('FP32'), data: field([1, 2]) },
      { requiredKeys: [] },
    );
    const request = fc.record(
      {
        id: field('a'),
        inputs: fc.oneof(fc.array(fc.oneof(input, fc.constant(K)), { maxLength: 3 }), fc.jsonValue()),
        outputs: field([{ name: 'y' }]),
      },
      { requiredKeys: [] },
    );
    let takenCount = 0;
    fc.assert(
      fc.property(fc.oneof({ weight: 9, arbitrary: request }, fc.jsonValue()), (json) => {
        try {
          const { inputs } = parse(json);
          takenCount++;
          for (const { values, shape } of inputs)
            assert.equal(
              values.length,
              shape.reduce((a, b) => a * b, 1),
            );
        } catch (error) {
          freshetError('INPUT_INVALID', '')(error);
        }
      }),
      { numRuns: 2000 },
    );
    assert.ok(takenCount > 0, 'some requests are valid');
  });
});
