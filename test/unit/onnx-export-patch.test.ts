/**
 * The whole point of the export: a model that has been trained further can be reached by patching the old file at
 * canonical indices, and gives the very bytes that exporting the new model gives.
 */
import { strict as assert } from 'node:assert';
import { before, describe, it } from 'node:test';
import { diffWeights } from '@freshet/protocol/delta';
import { extractWeights, patchWeights, readOnnxLayout } from '@freshet/protocol/onnx-layout';
import { gatherCanonical, scatterCanonical } from '@freshet/trainer/onnx/canonical-weights';
import { exportOnnx } from '@freshet/trainer/onnx/export-model';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { seed } from '../support/seed.ts';
import {
  leNet5,
  randomizeWeights,
  readWeights,
  SMALL_MODELS,
  useCpuBackend,
} from '../support/tfjs-models.ts';
import { assertSameBits } from '../support/weights.ts';

async function assertPatchReachesExport(model: LayersModel): Promise<void> {
  const options = { modelId: 'test' };
  randomizeWeights(model, seed);
  const { file, bindings } = await exportOnnx(model, options);
  const layout = readOnnxLayout(file);
  const before = extractWeights(file, layout);

  randomizeWeights(model, seed + 1);
  const trained = readWeights(model);
  const after = new Float32Array(before.length);
  gatherCanonical(bindings, (name) => trained.get(name)!, after);
  const { indices, valueBits } = diffWeights(before, after);
  patchWeights(file, layout, indices, valueBits);

  assert.deepEqual(file, (await exportOnnx(model, options)).file);
  const scattered = new Map([...trained].map(([name, values]) => [name, new Float32Array(values.length)]));
  scatterCanonical(bindings, after, (name) => scattered.get(name)!);
  for (const [name, values] of trained) assertSameBits(scattered.get(name)!, values, name);
}

describe('patching an exported file with new weights gives the file of the new model', () => {
  before(useCpuBackend);

  it('LeNet-5', () => assertPatchReachesExport(leNet5()));

  for (const [what, build] of Object.entries(SMALL_MODELS)) {
    it(what, () => assertPatchReachesExport(build()));
  }
});
