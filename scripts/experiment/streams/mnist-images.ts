/** The MNIST digits as images, all of them or the first so many. */

import type { ClassSample, SampleSet } from '@freshet/trainer/learn/sample-source';
import { openMnist } from '@freshet/trainer/learn/sources/mnist';
import type { Images } from './images.ts';

const SIDE = 28;
const CLASS_COUNT = 10;
const TRAIN_COUNT = 60_000;
const TEST_COUNT = 10_000;

/** `scale`: share of each set. @throws SAMPLES_INVALID */
export function mnistImages(scale: number): { readonly train: Images; readonly test: Images } {
  const { train, test } = openMnist();
  return {
    train: imagesOf(train, Math.round(scale * TRAIN_COUNT)),
    test: imagesOf(test, Math.round(scale * TEST_COUNT)),
  };
}

function imagesOf(samples: SampleSet<ClassSample>, count: number): Images {
  return {
    count,
    classCount: CLASS_COUNT,
    side: SIDE,
    copyInput(index, target, offset) {
      const { input } = samples.sample(index);
      for (let pixel = 0; pixel < input.length; pixel++) target[offset + pixel] = input[pixel]! / 255;
    },
    label: (index) => samples.sample(index).label,
  };
}
