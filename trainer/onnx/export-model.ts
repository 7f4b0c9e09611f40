/**
 * Writes a tfjs LayersModel as an ONNX file whose float32 initializers are the model's weights and nothing else, in
 * ONNX's element order, so that a delta's indices address the file directly; and says how tfjs's weights map to them.
 */
import { assert } from '@freshet/protocol/assert';
import { FreshetError } from '@freshet/protocol/errors';
import { readOnnxLayout } from '@freshet/protocol/onnx-layout';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import type { WeightBinding } from './canonical-weights.ts';
import { OnnxGraphBuilder } from './graph-builder.ts';
import { inTfjsOrder } from './graph-value.ts';
import { modelEnds, writeLayers } from './model-walk.ts';

export interface OnnxExport {
  /** The complete ONNX file, owned by the caller. The same model and weights give the same bytes. */
  readonly file: Uint8Array;
  /** In canonical order: that of the initializers in `file`. Every weight of the model occurs exactly once. */
  readonly bindings: readonly WeightBinding[];
}

/**
 * Exports `model` for inference, with its present weights. Input and output have tfjs's own shapes (images NHWC) with
 * a free batch dimension 'N'. The model is not changed. `modelId` becomes the name of the graph.
 * @throws LAYER_UNSUPPORTED naming the layer, and the option where it is one, and what is supported.
 */
export async function exportOnnx(model: LayersModel, options: { modelId: string }): Promise<OnnxExport> {
  const ends = modelEnds(model);
  const weightValues = await readWeights(model);
  const graph = new OnnxGraphBuilder(weightValues);
  const output = inTfjsOrder(graph, writeLayers(ends, graph));
  const file = graph.build(options.modelId, output.name, output.shape);
  const { bindings } = graph;
  assert(bindings.length === weightValues.size, 'every weight of the model is bound to an initializer');
  assertLayoutMatches(file, bindings);
  return { file, bindings };
}

/** Values by `originalName`. Asynchronous, because not every tfjs backend can read synchronously. */
async function readWeights(model: LayersModel): Promise<Map<string, Float32Array>> {
  const values = new Map<string, Float32Array>();
  for (const weight of model.weights) {
    const { originalName, dtype } = weight;
    if (dtype !== 'float32' || values.has(originalName)) {
      throw new FreshetError(
        'LAYER_UNSUPPORTED',
        `weight "${originalName}" cannot be exported to ONNX: it is ${dtype}, or its name occurs twice; ` +
          'supported: float32 weights with unique names',
        { details: { weight: originalName } },
      );
    }
    values.set(originalName, await weight.read().data<'float32'>());
  }
  return values;
}

/** What we wrote is what a device will read. */
function assertLayoutMatches(file: Uint8Array, bindings: readonly WeightBinding[]): void {
  const layout = readOnnxLayout(file);
  assert(layout.length === bindings.length, 'every float initializer is a bound weight');
  for (const [i, { initializerName, shape }] of bindings.entries()) {
    const tensor = layout[i];
    assert(
      tensor?.name === initializerName && tensor.shape.join() === shape.join(),
      `initializer ${i} is ${initializerName}`,
    );
  }
}
