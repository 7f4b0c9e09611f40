/**
 * Finds out before training starts whether the backend in use can train a model, so that a gap in tfjs is an error
 * that names the layer and not a failure, or a silently wrong gradient, in mid-stream.
 */
import { FreshetError } from '@freshet/protocol/errors';
import * as tf from '@tensorflow/tfjs-core';
import type { LayersModel, layers as tflLayers } from '@tensorflow/tfjs-layers';

type Layer = tflLayers.Layer;

/** A gradient that tfjs computes without complaint and wrongly: found by finite differences, off by 0.5 and more. */
interface WrongGradient {
  /** As tfjs names them. */
  readonly backends: readonly string[];
  readonly layers: readonly string[];
  readonly padding?: 'same';
}

const WRONG_GRADIENTS: readonly WrongGradient[] = [
  { backends: ['cpu', 'webgpu'], layers: ['AveragePooling2D'], padding: 'same' },
  { backends: ['cpu', 'webgpu', 'wasm'], layers: ['AveragePooling3D'], padding: 'same' },
  { backends: ['wasm'], layers: ['Conv3D', 'Conv3DTranspose'] },
];

/**
 * Runs one forward and backward pass on a zero sample; weights and moving statistics are as before afterwards.
 * @throws LAYER_UNSUPPORTED naming the layer; tfjs then does not free what it kept for the pass that failed
 */
export function checkTrainable(model: LayersModel, inputShape: readonly number[]): void {
  for (const layer of model.layers) refuseWrongGradient(layer);
  const statistics = model.nonTrainableWeights.map((weight) => ({ weight, saved: weight.read().clone() }));
  try {
    tf.tidy(() => backPropagate(model, [tf.zeros([1, ...inputShape])]));
  } catch (error) {
    const { layer, cause } = findFailingLayer(model) ?? { layer: null, cause: error };
    throw unsupported(layer, messageOf(cause), cause);
  } finally {
    for (const { weight, saved } of statistics) weight.write(saved);
    tf.dispose(statistics.map(({ saved }) => saved));
  }
}

function refuseWrongGradient(layer: Layer): void {
  const layerClass = layer.getClassName();
  const backend = tf.getBackend();
  for (const wrong of WRONG_GRADIENTS) {
    if (!wrong.layers.includes(layerClass) || !wrong.backends.includes(backend)) continue;
    if (wrong.padding !== undefined && layer.getConfig()['padding'] !== wrong.padding) continue;
    const when = wrong.padding === undefined ? '' : ` with padding '${wrong.padding}'`;
    throw unsupported(layer, `tfjs computes its gradient wrongly${when} on the ${backend} backend`);
  }
}

/** The sum of all that `layer` (or a whole model) makes of `inputs`: something to differentiate. */
function total(layer: Layer, inputs: readonly tf.Tensor[]): tf.Scalar {
  const outputs = layer.apply(inputs.length === 1 ? inputs[0]! : [...inputs], { training: true });
  // A layer applied to tensors gives tensors; only applied to symbols does it give symbols.
  return tf.addN([outputs].flat().map((output) => tf.sum<tf.Scalar>(output as tf.Tensor)));
}

/** Differentiates with respect to the trainable weights, as training does. */
function backPropagate(layer: Layer, inputs: readonly tf.Tensor[]): void {
  // The value of a layer's weight is a variable of tfjs-core, which tfjs-layers types as its base class.
  const trainable = layer.trainableWeights.map((weight) => weight.read() as tf.Variable);
  if (trainable.length > 0) tf.variableGrads(() => total(layer, inputs), trainable);
}

/** The first layer that fails by itself. */
function findFailingLayer(model: LayersModel): { layer: Layer; cause: unknown } | null {
  for (const layer of model.layers) {
    if (layer.getClassName() === 'InputLayer') continue;
    for (const node of layer.inboundNodes) {
      try {
        tf.tidy(() => {
          const shapes = node.inputTensors.map((input) => input.shape.map((dimension) => dimension ?? 1));
          const inputs = shapes.map((shape) => tf.zeros(shape));
          backPropagate(layer, inputs);
          tf.grads((...given: tf.Tensor[]) => total(layer, given))(inputs);
        });
      } catch (cause) {
        return { layer, cause };
      }
    }
  }
  return null;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function unsupported(layer: Layer | null, reason: string, cause?: unknown): FreshetError {
  const what =
    layer === null
      ? 'the model cannot be trained'
      : `layer ${layer.name} (${layer.getClassName()}) cannot be trained`;
  return new FreshetError('LAYER_UNSUPPORTED', `${what}: ${reason}`, {
    cause,
    details: { layer: layer?.name ?? null, backend: tf.getBackend() },
  });
}
