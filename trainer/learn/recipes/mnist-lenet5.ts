/**
 * LeNet-5 on the MNIST digits, with ReLU and max pooling: 61,706 weights in 10 tensors. Small enough to train on any
 * machine, large enough to show what sparse updates save.
 */
import { defineRecipe } from '../recipe.ts';
import { openMnist, pixelsToFloats } from '../sources/mnist.ts';

const INPUT_SHAPE = [28, 28, 1];
const CLASS_COUNT = 10;

export const mnistLenet5 = defineRecipe({
  name: 'mnist-lenet5',
  input: { shape: INPUT_SHAPE, dtype: 'uint8' },
  target: { kind: 'class', classCount: CLASS_COUNT },
  loss: 'softmax-cross-entropy',
  preprocess: pixelsToFloats,

  buildModel({ tf, drawSeed }) {
    const { layers } = tf;
    const glorot = () => tf.initializers.glorotUniform({ seed: drawSeed() });
    const model = tf.sequential({ name: 'lenet5' });
    model.add(
      layers.conv2d({
        name: 'conv1',
        inputShape: INPUT_SHAPE,
        filters: 6,
        kernelSize: 5,
        padding: 'same',
        activation: 'relu',
        kernelInitializer: glorot(),
      }),
    );
    model.add(layers.maxPooling2d({ name: 'pool1', poolSize: 2 }));
    model.add(
      layers.conv2d({
        name: 'conv2',
        filters: 16,
        kernelSize: 5,
        activation: 'relu',
        kernelInitializer: glorot(),
      }),
    );
    model.add(layers.maxPooling2d({ name: 'pool2', poolSize: 2 }));
    model.add(layers.flatten({ name: 'flatten' }));
    model.add(layers.dense({ name: 'dense1', units: 120, activation: 'relu', kernelInitializer: glorot() }));
    model.add(layers.dense({ name: 'dense2', units: 84, activation: 'relu', kernelInitializer: glorot() }));
    model.add(layers.dense({ name: 'logits', units: CLASS_COUNT, kernelInitializer: glorot() }));
    return model;
  },

  // The stream of the demonstration should not end: after the last digit the first one arrives again.
  openSource: () => ({ ...openMnist(), repeats: true }),
});
