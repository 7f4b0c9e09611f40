/**
 * A network of ten million weights that every backend can train: three hidden layers of 2,048 on the MNIST digits,
 * 10,020,874 weights. No network of its size has a shorter step: each weight is used once for each sample, those of a
 * convolution once for each pixel. What publishing costs beside it is therefore the most that it can cost.
 */
import { createRandom } from '@freshet/trainer/core/random';
import type { Recipe } from '@freshet/trainer/learn/recipe';
import { mnistLenet5 } from '@freshet/trainer/learn/recipes/mnist-lenet5';
import { initializers, layers, sequential } from '@tensorflow/tfjs-layers';

const CLASS_COUNT = 10;
const HIDDEN = [2048, 2048, 2048] as const;

export const wideMlp: Recipe = {
  ...mnistLenet5,
  name: 'mlp-10m',
  buildModel(seed) {
    const random = createRandom(seed);
    const glorot = () => initializers.glorotUniform({ seed: 1 + random.integerBelow(2 ** 31 - 1) });
    const model = sequential({ name: 'mlp' });
    model.add(layers.flatten({ name: 'flatten', inputShape: [...mnistLenet5.format.inputShape] }));
    for (const [i, units] of HIDDEN.entries()) {
      model.add(
        layers.dense({ name: `dense${i + 1}`, units, activation: 'relu', kernelInitializer: glorot() }),
      );
    }
    model.add(layers.dense({ name: 'logits', units: CLASS_COUNT, kernelInitializer: glorot() }));
    return model;
  },
};
