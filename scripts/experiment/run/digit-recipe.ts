/** LeNet-5 for images of an experiment: as the built-in recipe, but of pixels that are floats already. */
import type { Recipe } from '@freshet/trainer/learn/recipe';
import { mnistLenet5 } from '@freshet/trainer/learn/recipes/mnist-lenet5';
import type { ClassSample, SampleSet } from '@freshet/trainer/learn/sample-source';
import type { Images } from '../streams/images.ts';

export const digitRecipe: Recipe = {
  ...mnistLenet5,
  format: { ...mnistLenet5.format, inputType: 'float32' },
  preprocess: null,
};

/** `images` as samples of the recipe. */
export function samplesOfImages(images: Images): SampleSet<ClassSample> {
  // Each sample is copied by who asks for it.
  const input = new Float32Array(images.side * images.side);
  return {
    count: images.count,
    sample(index) {
      images.copyInput(index, input, 0);
      return { input, label: images.label(index) };
    },
  };
}
