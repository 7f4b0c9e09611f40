/**
 * The exported file computes what tfjs computes: random weights and inputs through both, at several batch sizes.
 * Tolerance 1e-4 absolute, since ONNX Runtime and tfjs add in different orders.
 */
import { strict as assert } from 'node:assert';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import { fromBinary } from '@bufbuild/protobuf';
import { readOnnxLayout } from '@freshet/protocol/onnx-layout';
import { exportOnnx } from '@freshet/trainer/onnx/export-model';
import * as tf from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { ModelProtoSchema, type ValueInfoProto } from '../../trainer/onnx/generated/onnx_pb.js';
import { runOnnx } from '../support/onnx-session.ts';
import { seed } from '../support/seed.ts';
import {
  leNet5,
  randomInput,
  randomizeWeights,
  SMALL_MODELS,
  useCpuBackend,
} from '../support/tfjs-models.ts';

const TOLERANCE = 1e-4;
const BATCH_SIZES = [1, 3, 16];

async function assertSamePredictions(model: LayersModel): Promise<void> {
  randomizeWeights(model, seed);
  const { file } = await exportOnnx(model, { modelId: 'test' });
  for (const batchSize of BATCH_SIZES) {
    const input = randomInput(model, batchSize, seed);
    const expected = tf.tidy(() => model.predict(input));
    assert(expected instanceof tf.Tensor);
    const actual = await runOnnx(file, input.dataSync<'float32'>(), input.shape);
    assert.deepEqual(actual.shape, expected.shape);
    const largest = largestDifference(actual.values, expected.dataSync<'float32'>());
    assert(largest <= TOLERANCE, `batch of ${batchSize}: largest difference ${largest}`);
    tf.dispose([input, expected]);
  }
}

function largestDifference(actual: Float32Array, expected: Float32Array): number {
  assert.equal(actual.length, expected.length);
  return expected.reduce((largest, value, i) => Math.max(largest, Math.abs(value - actual[i]!)), 0);
}

function shapeOf(port: ValueInfoProto | undefined): (string | bigint | undefined)[] {
  assert(port?.type?.value.case === 'tensorType');
  return (port.type.value.value.shape?.dim ?? []).map(({ value }) => value.value);
}

describe('exported ONNX file', () => {
  before(useCpuBackend);

  it('predicts as tfjs does: LeNet-5', () => assertSamePredictions(leNet5()));

  for (const [what, build] of Object.entries(SMALL_MODELS)) {
    it(`predicts as tfjs does: ${what}`, () => assertSamePredictions(build()));
  }

  it('has the nodes, ports and initializers that LeNet-5 needs and no more', async () => {
    const { file, bindings } = await exportOnnx(leNet5(), { modelId: 'digits' });
    const { graph, producerName } = fromBinary(ModelProtoSchema, file);
    assert(graph !== undefined);
    assert.deepEqual([graph.name, producerName], ['digits', 'freshet']);
    const chain = 'Transpose Conv Relu MaxPool Conv Relu MaxPool Flatten Gemm Relu Gemm Relu Gemm';
    assert.equal(graph.node.map(({ opType }) => opType).join(' '), chain);
    assert.deepEqual([graph.input[0]?.name, ...shapeOf(graph.input[0])], ['input', 'N', 28n, 28n, 1n]);
    assert.deepEqual([graph.output[0]?.name, ...shapeOf(graph.output[0])], ['output', 'N', 10n]);
    const layout = readOnnxLayout(file).map(({ name, shape }) => [name, shape]);
    assert.deepEqual(layout, [
      ['conv1/kernel', [6, 1, 5, 5]],
      ['conv1/bias', [6]],
      ['conv2/kernel', [16, 6, 5, 5]],
      ['conv2/bias', [16]],
      ['dense1/kernel', [400, 120]],
      ['dense1/bias', [120]],
      ['dense2/kernel', [120, 84]],
      ['dense2/bias', [84]],
      ['dense3/kernel', [84, 10]],
      ['dense3/bias', [10]],
    ]);
    assert.deepEqual(
      bindings.map(({ initializerName, shape }) => [initializerName, shape]),
      layout,
    );
  });

  it('hands weights to operators directly, so that ONNX Runtime cannot fold them into copies', async () => {
    for (const build of Object.values(SMALL_MODELS)) {
      const { file, bindings } = await exportOnnx(build(), { modelId: 'test' });
      const names = new Set(bindings.map(({ initializerName }) => initializerName));
      for (const node of fromBinary(ModelProtoSchema, file).graph?.node ?? []) {
        assert.notEqual(node.opType, 'Constant');
        if (node.input.some((name) => names.has(name)))
          assert.match(node.opType, /^(Conv|Gemm|MatMul|Add|BatchNormalization)$/);
      }
    }
  });

  it('is the same, byte for byte, each time and in each process', async () => {
    const first = leNet5();
    const second = leNet5();
    randomizeWeights(first, seed);
    randomizeWeights(second, seed);
    assert.notEqual(first.weights[0]?.name, second.weights[0]?.name, 'tfjs renames weights within a process');
    const options = { modelId: 'digits' };
    const { file } = await exportOnnx(first, options);
    assert.deepEqual((await exportOnnx(first, options)).file, file);
    assert.deepEqual((await exportOnnx(second, options)).file, file);
  });

  it('costs tfjs no memory', async () => {
    const model = leNet5();
    const { numTensors } = tf.memory();
    await exportOnnx(model, { modelId: 'digits' });
    assert.equal(tf.memory().numTensors, numTensors);
  });

  it('loads in ONNX Runtime without a warning', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'freshet-onnx-'));
    try {
      const path = join(folder, 'model.onnx');
      const script = `
        import { InferenceSession } from 'onnxruntime-node';
        await InferenceSession.create(${JSON.stringify(path)}, { logSeverityLevel: 2 });
        console.log('loaded');
      `;
      writeFileSync(path, (await exportOnnx(leNet5(), { modelId: 'digits' })).file);
      // ONNX Runtime writes its log to the process's own stderr, past everything that JavaScript could capture.
      const output = execFileSync(
        '/bin/sh',
        ['-c', '"$0" "$@" 2>&1', process.execPath, '--input-type=module', '-e', script],
        {
          cwd: import.meta.dirname,
          encoding: 'utf8',
        },
      );
      assert.equal(output, 'loaded\n');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
