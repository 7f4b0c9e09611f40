/**
 * The wire walker on hand-written bytes. A model is `3a <length> graph`, a graph holds initializers
 * `2a <length> tensor`, and a tensor has dims 08, data_type 10 (01: float), name 42, raw_data 4a.
 */
import { strict as assert } from 'node:assert';
import { describe, it } from 'node:test';
import { InvariantError } from '@freshet/protocol/assert';
import { FreshetError } from '@freshet/protocol/errors';
import {
  cutWeights,
  extractWeights,
  joinWeights,
  patchWeights,
  readCutLayout,
  readOnnxLayout,
  type TensorLayout,
} from '@freshet/protocol/onnx-layout';
import { buildOnnx } from '../support/onnx-builder.ts';

const ONE = '0000803f';
const TWO = '00000040';

/** A scalar called "a" of value 1. */
const SCALAR = `1001 420161 4a04${ONE}`;

function hex(text: string): Uint8Array {
  return Buffer.from(text.replaceAll(' ', ''), 'hex');
}

/** `tag`, the number of bytes (under 128 here), the bytes. */
function field(tag: string, content: string): string {
  const bytes = hex(content);
  assert(bytes.length < 128);
  return `${tag} ${bytes.length.toString(16).padStart(2, '0')} ${content}`;
}

function model(...tensors: string[]): Uint8Array {
  return hex(field('3a', tensors.map((tensor) => field('2a', tensor)).join('')));
}

function refused(message: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert(error instanceof FreshetError && error.code === 'ONNX_MALFORMED', String(error));
    assert.match(error.message, message);
    return true;
  };
}

describe('readOnnxLayout', () => {
  it('takes a tensor without dimensions for one weight', () => {
    // 3a 0d 2a 0b 10 01 42 01 61 4a 04 | 00 00 80 3f
    assert.deepEqual(readOnnxLayout(model(SCALAR)), [
      { name: 'a', shape: [], elementOffset: 0, elementCount: 1, fileOffset: 11 },
    ]);
  });

  it('reads dimensions packed or not, and fields in any order', () => {
    const packed = `4a08${ONE}${TWO} 0a020201 420161 1001`;
    const unpacked = `0801 0802 420162 1001 4a08${ONE}${TWO}`;
    assert.deepEqual(
      readOnnxLayout(model(packed, unpacked)).map(({ name, shape }) => [name, shape]),
      [
        ['a', [2, 1]],
        ['b', [1, 2]],
      ],
    );
  });

  it('gives a tensor without elements a place, with or without raw_data', () => {
    const huge = '08ffffffffffffff0f 0800';
    const file = model(SCALAR, `${huge} 1001 420162`, `0800 1001 420163 4a00`);
    const layout = readOnnxLayout(file);
    assert.deepEqual(
      layout.map(({ elementOffset, elementCount }) => [elementOffset, elementCount]),
      [
        [0, 1],
        [1, 0],
        [1, 0],
      ],
    );
    assert.deepEqual(Buffer.from(joinWeights(cutWeights(file, layout), layout, Float32Array.of(1))), file);
  });

  it('takes a byte order mark for a part of the name', () => {
    const marked = `1001 4204efbbbf61 4a04${ONE}`;
    assert.deepEqual(
      readOnnxLayout(model(SCALAR, marked)).map(({ name }) => name),
      ['a', '\ufeffa'],
    );
  });

  it('skips constants of other types and fields it does not know', () => {
    const int64 = '0801 1007 420169 4a080a00000000000000';
    const unknown = `a006 05  a106 0102030405060708  a506 01020304  a206 02 ffff ${SCALAR}`;
    assert.deepEqual(
      readOnnxLayout(model(int64, unknown, int64)).map(({ name }) => name),
      ['a'],
    );
  });

  it('reads a graph without weights', () => {
    assert.deepEqual(readOnnxLayout(hex('3a00')), []);
  });

  const MALFORMED: Readonly<Record<string, [Uint8Array, RegExp]>> = {
    'an empty file': [hex(''), /no graph/],
    'a second graph': [hex('3a00 3a00'), /two graphs/],
    'a graph that is a number': [hex('3801'), /graph is a number/],
    'a field that is longer than the file': [hex('3a05 00'), /a field of 5 bytes where 1 are left/],
    'a tensor that is longer than its graph': [hex('3a04 2a7f1001'), /a field of 127 bytes where 2 are left/],
    'a tensor that reaches past its graph': [
      hex('3a02 2a04 7a020000'),
      /a field of 4 bytes where 0 are left/,
    ],
    'a number that reaches past its tensor': [hex('3a03 2a0110 7a00'), /a number that is cut off/],
    'a length that is cut off': [hex('3a80'), /a number that is cut off/],
    'a length of more than ten bytes': [hex(`3a${'80'.repeat(10)}00`), /more than 64 bits/],
    'a length of more than 64 bits': [hex(`3a${'ff'.repeat(9)}02`), /more than 64 bits/],
    'a negative length': [hex(`3a${'ff'.repeat(9)}01`), /a field of \d+ bytes where 0 are left/],
    'field number zero': [hex('0001'), /field number 0/],
    'a field number that does not exist': [hex('8080808010 00'), /field number 536870912/],
    'a group': [hex('0b0c'), /wire type 3/],
    'a wire type that does not exist': [hex('0f'), /wire type 7/],
    'a fixed field that is cut off': [hex('0d 000000'), /a field of 4 bytes where 3 are left/],
    'no name': [model(`1001 4a04${ONE}`), /no name/],
    'an empty name': [model(`1001 4200 4a04${ONE}`), /no name/],
    'a second name': [model(`420161 ${SCALAR}`), /second name/],
    'a name that is not UTF-8': [model(`1001 4201ff 4a04${ONE}`), /not UTF-8/],
    'the same name twice': [model(SCALAR, SCALAR), /two initializers are named "a"/],
    'a negative dimension': [model(`08${'ff'.repeat(9)}01 1001 420161`), /dimension out of range/],
    'too many dimensions': [model(`0a09${'01'.repeat(9)} ${SCALAR}`), /more than 8 dimensions/],
    'dimensions whose product is out of range': [
      model(`0a14 ${'ffffffff07'.repeat(4)} ${SCALAR}`),
      /has 4 bytes of raw_data instead of/,
    ],
    'a second type': [model(`1001 ${SCALAR}`), /second data type/],
    'a type that only 32 bits make a float': [
      model(`108180808010 420161 4a04${ONE}`),
      /bad or a second data type/,
    ],
    'no raw_data': [model('1001 420161'), /has 0 bytes of raw_data instead of 4/],
    'raw_data of another length': [
      model(`0802 ${SCALAR}`),
      /shape \[2\] has 4 bytes of raw_data instead of 8/,
    ],
    'raw_data for no elements': [model(`0800 ${SCALAR}`), /has 4 bytes of raw_data instead of 0/],
    'a second raw_data': [model(`${SCALAR} 4a04${TWO}`), /second raw_data/],
    'raw_data that is a number': [model('1001 420161 4801'), /raw_data is a number/],
    'values in float_data': [
      model(`1001 420161 2204${ONE}`),
      /"a" are in float_data; save the model with raw_data/,
    ],
    'values elsewhere as well': [model(`${SCALAR} 7001`), /in an external file/],
    'an external file name': [model(`${SCALAR} 6a00`), /in an external file/],
    'values in segments': [model(`${SCALAR} 1a00`), /in another segment/],
  };

  for (const [what, [file, message]] of Object.entries(MALFORMED)) {
    it(`refuses ${what}`, () => assert.throws(() => readOnnxLayout(file), refused(message)));
  }

  it('refuses a name that is too long, and too many tensors', () => {
    const values = new Float32Array(0);
    const built = (names: string[]): Uint8Array =>
      buildOnnx({
        nodes: [],
        initializers: names.map((name) => ({ name, shape: [0], values })),
        inputs: [],
        outputs: [],
      });
    assert.equal(readOnnxLayout(built(['n'.repeat(512)])).length, 1);
    assert.throws(() => readOnnxLayout(built(['n'.repeat(513)])), refused(/longer than 512 bytes/));
    const names = Array.from({ length: 16_385 }, (_, i) => `t${i}`);
    assert.equal(readOnnxLayout(built(names.slice(1))).length, 16_384);
    assert.throws(() => readOnnxLayout(built(names)), refused(/more than 16384 weight tensors/));
  });
});

describe('readCutLayout', () => {
  const file = model(`0802 1001 420161 4a08${ONE}${TWO}`, `1001 420162 4a04${TWO}`);
  const layout = readOnnxLayout(file);
  const graph = cutWeights(file, layout);
  const [a, b] = layout as [TensorLayout, TensorLayout];

  it('finds what is there', () => assert.deepEqual(readCutLayout(graph, layout), layout));

  it('misses the structure that the weights would cover', () => {
    // 3a20 2a11 0802 1001 420161 4a08 and then the weights of a: two bytes early, they cover byte 11, the tag 4a.
    for (const [fileOffset, missing] of [
      [a.fileOffset - 2, 11],
      [0, 0],
    ] as const) {
      const covering = [{ ...a, fileOffset }, b];
      assert.throws(() => readCutLayout(graph, covering), refused(new RegExp(`byte ${missing} tells`)));
    }
    // 3a12 2a10 1001 4206 and then the name, which begins at byte 8.
    const named = model(`1001 4206 616263646566 4a04${ONE}`);
    const inside = [{ ...a, elementCount: 1, fileOffset: 9 }];
    assert.throws(() => readCutLayout(cutWeights(named, inside), inside), refused(/byte 9 tells/));
  });

  it('takes only what lies in the file', () => {
    assert.throws(() => readCutLayout(graph, [b, a]), refused(/"b".*does not lie/));
    const far = { ...b, fileOffset: Number.MAX_SAFE_INTEGER };
    assert.throws(() => readCutLayout(graph, [a, far]), refused(/"b".*does not lie/));
    for (const elementCount of [-1, 0.5, Number.NaN]) {
      assert.throws(() => readCutLayout(graph, [a, { ...b, elementCount }]), refused(/does not lie/));
    }
  });

  it('refuses more weights than a model may have before it adds to their number', () => {
    for (const elementCount of [2 ** 28, 2 ** 60, Number.POSITIVE_INFINITY]) {
      const many = { ...b, elementCount };
      assert.throws(() => readCutLayout(graph, [a, many]), refused(/more than 268435456 weights/));
    }
  });
});

describe('weights of an ONNX file', () => {
  const file = model(`0802 1001 420161 4a08${ONE}${TWO}`, `1001 420162 4a04${TWO}`);
  const layout = readOnnxLayout(file);
  const graph = cutWeights(file, layout);
  const weights = extractWeights(file, layout);

  it('are cut out of it and joined with it', () => {
    assert.deepEqual([...weights], [1, 2, 2]);
    const withoutWeights = '3a20 2a11 0802 1001 420161 4a08  2a0b 1001 420162 4a04';
    assert.deepEqual(Buffer.from(graph), Buffer.from(hex(withoutWeights)));
    assert.deepEqual(Buffer.from(joinWeights(graph, layout, weights)), Buffer.from(file));
  });

  it('are only joined where they fit', () => {
    const join = (change: Partial<TensorLayout>): Uint8Array =>
      joinWeights(graph, [layout[0]!, { ...layout[1]!, ...change }], weights);
    assert.throws(() => joinWeights(graph, layout, new Float32Array(2)), refused(/"b".*does not lie/));
    assert.throws(() => joinWeights(graph, layout, new Float32Array(4)), refused(/has 3 weights, but 4/));
    assert.throws(() => joinWeights(graph, layout.toReversed(), weights), refused(/"b".*does not lie/));
    for (const fileOffset of [
      -1,
      layout[0]!.fileOffset + 7,
      layout[1]!.fileOffset - 0.5,
      file.length - 3,
      Number.NaN,
      2 ** 60,
    ]) {
      assert.throws(() => join({ fileOffset }), refused(/"b".*does not lie/), `fileOffset ${fileOffset}`);
    }
    for (const elementCount of [-1, 2, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      assert.throws(() => join({ elementCount }), refused(/./), `elementCount ${elementCount}`);
    }
    const negative = [layout[0]!, { ...layout[1]!, elementCount: -1 }];
    assert.throws(() => joinWeights(graph, negative, new Float32Array(1)), refused(/"b".*does not lie/));
    const fractions = [
      { ...layout[0]!, elementCount: 2.5 },
      { ...layout[1]!, elementOffset: 2.5, elementCount: 0.5 },
    ];
    assert.throws(() => joinWeights(graph, fractions, weights), refused(/"a".*does not lie/));
    assert.throws(() => join({ elementOffset: 1 }), refused(/"b".*does not lie/));
  });

  it('are not read from a file that is too short', () => {
    for (const read of [cutWeights, extractWeights]) {
      assert.throws(() => read(file.subarray(0, file.length - 1), layout), refused(/"b".*does not lie/));
    }
  });

  it('are patched all or none', () => {
    const patch = (indices: number[], values: number[]): Uint8Array => {
      const copy = file.slice();
      try {
        patchWeights(copy, layout, Uint32Array.from(indices), Uint32Array.from(values));
      } catch (error) {
        assert(error instanceof InvariantError);
        assert.deepEqual(copy, file.slice(), 'nothing is written');
        throw error;
      }
      return copy;
    };
    // 0xffa01234 is a signalling NaN: moved as a float it could come out as another.
    const patched = patch([1, 2], [0xffa0_1234, 0x3f80_0000]);
    const bits = new Uint32Array(extractWeights(patched, layout).buffer);
    assert.deepEqual([...bits], [0x3f80_0000, 0xffa0_1234, 0x3f80_0000]);
    assert.throws(() => patch([0, 3], [0, 0]), /lie in the model/);
    assert.throws(() => patch([1, 0], [0, 0]), /strictly ascending/);
    assert.throws(() => patch([1, 1], [0, 0]), /strictly ascending/);
    assert.throws(() => patch([1], [0, 0]), /one value for each index/);
  });
});
