/**
 * Brings a picture of a handwritten digit into the form that MNIST has, as its authors made it: the digit fitted into
 * 20×20 pixels with its aspect ratio kept, grey levels from averaging, placed in 28×28 so that its centre of mass is
 * at the centre. Y. LeCun, C. Cortes, C. Burges, "The MNIST database", http://yann.lecun.com/exdb/mnist/
 */
import { FreshetError } from '@freshet/protocol/errors';

/** Row-major; 0 is black, 1 is white. */
export interface GreyImage {
  readonly width: number;
  readonly height: number;
  readonly values: Float32Array;
}

export const DIGIT_SIDE = 28;
const BOX_SIDE = 20;

/** In pixel indices. Found by taking MNIST's digits off their place: this, to the pixel, puts them back. */
const CENTRE = 14;

/** Fainter than this is paper, not ink. At twice as much, a few of MNIST's digits lose their outermost row. */
const INK_MIN = 0.05;

interface Box {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** Rec. 601 luma of a pixel. The weights are whole thousandths so that a grey pixel comes out exactly as it went in. */
export function luma(red: number, green: number, blue: number): number {
  return (299 * red + 587 * green + 114 * blue) / 1000;
}

/**
 * The digit in white on black: 28×28 values in [0, 1], row-major, a new array. A picture of 28×28 pixels is taken to
 * be in MNIST's form already and keeps its values; dark ink on light paper (by the mean of the border) is inverted.
 * @throws INPUT_INVALID for an empty picture.
 */
export function toMnistDigit(image: GreyImage): Float32Array {
  const ink: GreyImage = {
    ...image,
    values: borderMean(image) > 0.5 ? image.values.map((value) => 1 - value) : image.values.slice(),
  };
  const box = inkBox(ink);
  if (box === null) throw new FreshetError('INPUT_INVALID', 'the picture is empty: there is no digit in it');
  if (ink.width === DIGIT_SIDE && ink.height === DIGIT_SIDE) return ink.values;
  return placeByMass(shrinkToBox(ink, box));
}

function borderMean({ width, height, values }: GreyImage): number {
  let sum = 0;
  let count = 0;
  for (let y = 0; y < height; y++) {
    const isEdgeRow = y === 0 || y === height - 1;
    const step = isEdgeRow ? 1 : Math.max(1, width - 1);
    for (let x = 0; x < width; x += step) {
      sum += values[y * width + x]!;
      count++;
    }
  }
  return sum / count;
}

function inkBox({ width, height, values }: GreyImage): Box | null {
  let left = width;
  let right = -1;
  let top = height;
  let bottom = -1;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (values[y * width + x]! < INK_MIN) continue;
      left = Math.min(left, x);
      right = Math.max(right, x);
      top = Math.min(top, y);
      bottom = y;
    }
  }
  return bottom === -1 ? null : { left, top, width: right - left + 1, height: bottom - top + 1 };
}

/** The contents of `box` scaled so that its longer side has 20 pixels, each the mean of the area it covers. */
function shrinkToBox(image: GreyImage, box: Box): GreyImage {
  const scale = BOX_SIDE / Math.max(box.width, box.height);
  const width = Math.max(1, Math.round(box.width * scale));
  const height = Math.max(1, Math.round(box.height * scale));
  const columns = areaShares(box.width, width);
  const rows = areaShares(box.height, height);
  const values = new Float32Array(width * height);
  for (const [y, row] of rows.entries()) {
    for (const [x, column] of columns.entries()) {
      let sum = 0;
      for (const [j, rowShare] of row.shares.entries()) {
        const start = (box.top + row.start + j) * image.width + box.left + column.start;
        for (const [i, share] of column.shares.entries()) sum += image.values[start + i]! * rowShare * share;
      }
      values[y * width + x] = sum;
    }
  }
  return { width, height, values };
}

/** For each of `targetCount` equal parts of a line of `sourceCount` pixels: which pixels it covers, by what share. */
function areaShares(sourceCount: number, targetCount: number): { start: number; shares: number[] }[] {
  const span = sourceCount / targetCount;
  return Array.from({ length: targetCount }, (_, target) => {
    const from = target * span;
    const to = Math.min((target + 1) * span, sourceCount);
    const start = Math.floor(from);
    const shares: number[] = [];
    for (let pixel = start; pixel < to; pixel++) {
      shares.push((Math.min(pixel + 1, to) - Math.max(pixel, from)) / span);
    }
    return { start, shares };
  });
}

/** `digit` in a black 28×28 image, moved by whole pixels, with all of it inside. */
function placeByMass({ width, height, values }: GreyImage): Float32Array {
  let mass = 0;
  let momentX = 0;
  let momentY = 0;
  for (const [i, value] of values.entries()) {
    mass += value;
    momentX += value * (i % width);
    momentY += value * Math.floor(i / width);
  }
  const left = Math.min(Math.max(Math.round(CENTRE - momentX / mass), 0), DIGIT_SIDE - width);
  const top = Math.min(Math.max(Math.round(CENTRE - momentY / mass), 0), DIGIT_SIDE - height);
  const placed = new Float32Array(DIGIT_SIDE * DIGIT_SIDE);
  for (let y = 0; y < height; y++) {
    placed.set(values.subarray(y * width, (y + 1) * width), (top + y) * DIGIT_SIDE + left);
  }
  return placed;
}
