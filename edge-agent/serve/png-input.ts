/** PNG files of digits as model input. Any bit depth and colour type; transparency shows white paper. */
import { FreshetError } from '@freshet/protocol/errors';
import { type DecodedPng, decode, hasPngSignature } from 'fast-png';
import { DIGIT_SIDE, type GreyImage, luma, toMnistDigit } from '../core/digit-image.ts';
import type { NamedTensor, TensorSignature } from '../core/tensor.ts';

/** A scan of a whole page at 300 dpi is 9 million pixels. */
const PIXEL_COUNT_MAX = 16 * 1024 * 1024;
const FILE_BYTES_MAX = 64 * 1024 * 1024;

/** Offsets of fields in the header chunk, which is always first. https://www.w3.org/TR/png-3/#11IHDR */
const HEADER = { width: 16, height: 20, depth: 24, interlace: 28, end: 33 };

/**
 * The picture of one digit as the model's input: a batch of one, [1, 28, 28, 1] or [1, 1, 28, 28] (the same numbers
 * in the same order), white on black in [0, 1].
 * @throws INPUT_INVALID when the file is no PNG we can read or is empty, or when the model does not take digits.
 */
export function digitInput(png: Uint8Array, signature: TensorSignature): NamedTensor {
  const { name, datatype } = signature;
  const shape = signature.shape.map((dimension) => (dimension === -1 ? 1 : dimension));
  const sides = shape.filter((dimension) => dimension !== 1);
  if (datatype !== 'FP32' || sides.length !== 2 || sides.some((side) => side !== DIGIT_SIDE)) {
    throw new FreshetError(
      'INPUT_INVALID',
      `input "${name}" of the model is ${datatype} [${signature.shape.join(', ')}], not one picture of 28×28; send JSON instead`,
    );
  }
  return { name, datatype, shape, values: toMnistDigit(readPng(png)) };
}

/** @throws INPUT_INVALID */
export function readPng(file: Uint8Array): GreyImage {
  const { width, height } = checkHeader(file);
  let png: DecodedPng;
  try {
    png = decode(file, { checkCrc: true });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new FreshetError('INPUT_INVALID', `the PNG file is damaged: ${reason}`, { cause });
  }
  const grey = greyReader(png);
  const values = new Float32Array(width * height);
  for (let i = 0; i < values.length; i++) values[i] = grey(i);
  return { width, height, values };
}

/** Sizes are checked before anything is inflated. */
function checkHeader(file: Uint8Array): { width: number; height: number } {
  if (file.length < HEADER.end || !hasPngSignature(file)) throw invalid('the file is not a PNG');
  if (file.length > FILE_BYTES_MAX) throw invalid(`the PNG file is larger than ${FILE_BYTES_MAX} bytes`);
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const width = view.getUint32(HEADER.width);
  const height = view.getUint32(HEADER.height);
  if (width === 0 || height === 0 || width * height > PIXEL_COUNT_MAX) {
    throw invalid(
      `a picture of ${width}×${height} pixels is too large; at most ${PIXEL_COUNT_MAX} pixels are read`,
    );
  }
  // fast-png 8.0.0 takes each packed sample of an interlaced picture for a byte.
  if (view.getUint8(HEADER.depth) < 8 && view.getUint8(HEADER.interlace) !== 0) {
    throw invalid('an interlaced PNG of fewer than 8 bits is not supported; save it without interlacing');
  }
  return { width, height };
}

/** Grey level in [0, 1] of pixel i of the picture. */
function greyReader(png: DecodedPng): (pixel: number) => number {
  const { channels, depth, palette, transparency } = png;
  const sample = sampleReader(png);
  const max = 2 ** depth - 1;
  if (palette !== undefined && channels === 1) {
    const greys = palette.map(([red = 0, green = 0, blue = 0, alpha = 255]) =>
      overWhite(luma(red, green, blue), alpha, 255),
    );
    return (pixel) => {
      const grey = greys[sample(pixel)];
      if (grey === undefined) throw invalid('the PNG file is damaged: a pixel is not in its palette');
      return grey;
    };
  }
  if (channels <= 2) {
    const clear = transparency?.[0];
    return (pixel) => {
      const value = sample(pixel * channels);
      const alpha = channels === 2 ? sample(pixel * 2 + 1) : value === clear ? 0 : max;
      return overWhite(value, alpha, max);
    };
  }
  return (pixel) => {
    const at = pixel * channels;
    const [red, green, blue] = [sample(at), sample(at + 1), sample(at + 2)];
    const isClear =
      transparency !== undefined &&
      red === transparency[0] &&
      green === transparency[1] &&
      blue === transparency[2];
    const alpha = channels === 4 ? sample(at + 3) : isClear ? 0 : max;
    return overWhite(luma(red, green, blue), alpha, max);
  };
}

/** Sample i of the picture. Below 8 bits several share a byte, and each row starts a new one. */
function sampleReader({ data, width, depth, channels }: DecodedPng): (index: number) => number {
  if (depth >= 8) return (index) => data[index]!;
  const rowBytes = Math.ceil((width * channels * depth) / 8);
  const mask = 2 ** depth - 1;
  return (index) => {
    const bitInRow = (index % width) * depth;
    const byte = data[Math.floor(index / width) * rowBytes + (bitInRow >> 3)]!;
    return (byte >> (8 - depth - (bitInRow & 7))) & mask;
  };
}

function overWhite(value: number, alpha: number, max: number): number {
  return alpha === max ? value / max : 1 - ((max - value) / max) * (alpha / max);
}

function invalid(message: string): FreshetError {
  return new FreshetError('INPUT_INVALID', message);
}
