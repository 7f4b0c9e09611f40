/**
 * The gradients of the layers that a recipe may use beside convolutions and dense layers, by central differences on the
 * backends that come with the trainer. Another backend's agreement would prove nothing: some gradients of tfjs are wrong
 * on several.
 */
import { strict as assert } from 'node:assert';
import { describe, it } from 'node:test';
import { selectBackend } from '@freshet/trainer/learn/backends/select-backend';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { centralDifferences, elementsOf, relativeError, seededFloats } from '../support/numerics.ts';
import { asSymbolic } from '../support/tfjs-models.ts';

const { layers } = tfl;
type Symbolic = tfl.SymbolicTensor;

const BATCH = 3;
/** Differences of float32 sums: rounding over h, and the curvature of tanh, ELU and BatchNorm. */
const H = 2e-2;
const TOLERANCE = 5e-3;

const put = (layer: tfl.layers.Layer, input: Symbolic | Symbolic[]) => asSymbolic(layer.apply(input));
const image = { filters: 2, kernelSize: 2, padding: 'same' } as const;

/** Each puts the layer between others with weights, so that its own gradient is passed through. */
const LAYERS: Readonly<Record<string, (input: Symbolic) => Symbolic>> = {
  'batch normalisation': (x) =>
    put(layers.batchNormalization({ epsilon: 0.1 }), put(layers.conv2d(image), x)),
  'separable convolution': (x) => put(layers.separableConv2d({ ...image, depthMultiplier: 2 }), x),
  'global average pooling': (x) => put(layers.globalAveragePooling2d({}), put(layers.conv2d(image), x)),
  'global maximum pooling': (x) => put(layers.globalMaxPooling2d({}), put(layers.conv2d(image), x)),
  'leaky relu': (x) => put(layers.leakyReLU({ alpha: 0.1 }), put(layers.conv2d(image), x)),
  elu: (x) => put(layers.elu(), put(layers.conv2d(image), x)),
  'sigmoid and tanh': (x) =>
    put(
      layers.activation({ activation: 'sigmoid' }),
      put(layers.conv2d({ ...image, activation: 'tanh' }), x),
    ),
  add: (x) => put(layers.add(), [put(layers.conv2d(image), x), put(layers.conv2d(image), x)]),
  concatenate: (x) => put(layers.concatenate(), [put(layers.conv2d(image), x), x]),
};

function build(layer: (input: Symbolic) => Symbolic): tfl.LayersModel {
  const input = tfl.input({ shape: [4, 3, 2] });
  const model = tfl.model({ inputs: input, outputs: layer(input) });
  const values = model.weights.map(({ shape }, i) => {
    const sizes = shape.map(Number);
    return tf.tensor(seededFloats(elementsOf(sizes), 11 + i), sizes);
  });
  const moving = model.nonTrainableWeights.length;
  // Moving statistics are not used in training; a variance is positive.
  model.setWeights(values.map((value, i) => (i < values.length - moving ? value : tf.abs(value))));
  tf.dispose(values);
  return model;
}

/** A number that depends on all outputs, each in its own measure; in training, as the gradient is. */
function total(model: tfl.LayersModel, inputs: tf.Tensor): tf.Scalar {
  const outputs = model.apply(inputs, { training: true }) as tf.Tensor;
  const measures = tf.tensor(seededFloats(outputs.size, 5), outputs.shape);
  return tf.sum(tf.mul(outputs, measures));
}

for (const backend of ['wasm', 'cpu'] as const) {
  describe(`gradients on ${backend}`, () => {
    for (const [what, layer] of Object.entries(LAYERS)) {
      it(what, async () => {
        await selectBackend(backend);
        const model = build(layer);
        const inputs = tf.tensor4d(seededFloats(BATCH * 24, 2), [BATCH, 4, 3, 2]);
        for (const weight of model.trainableWeights) {
          const variable = weight.read() as tf.Variable;
          const point = Float32Array.from(await variable.data<'float32'>());
          const valueAt = (values: Float32Array) => {
            const shaped = tf.tensor(values.slice(), variable.shape);
            weight.write(shaped);
            shaped.dispose();
            return tf.tidy(() => total(model, inputs).dataSync()[0]!);
          };
          const differences = centralDifferences(valueAt, point, H);
          valueAt(point);
          const { value, grads } = tf.variableGrads(() => total(model, inputs), [variable]);
          const gradient = await grads[variable.name]!.data<'float32'>();
          const error = relativeError(gradient, differences);
          assert.ok(error < TOLERANCE, `${weight.originalName}: ${error}`);
          tf.dispose([value, grads]);
        }
        model.dispose();
        inputs.dispose();
      });
    }
  });
}
