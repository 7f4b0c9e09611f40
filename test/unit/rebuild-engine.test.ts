/** The rebuild engine over the real ONNX Runtime: what a patch changes, and that a failed one changes nothing. */
import { strict as assert } from 'node:assert';
import { describe, it } from 'node:test';
import { extractWeights, readOnnxLayout } from '@freshet/protocol/onnx-layout';
import type { NamedTensor } from '../../edge-agent/core/tensor.ts';
import { ENGINE_DEFAULTS } from '../../edge-agent/serve/engine.ts';
import { RebuildEngine } from '../../edge-agent/serve/rebuild-engine.ts';
import { buildOnnx } from '../support/onnx-builder.ts';
import { lenetModel, sumModel } from '../support/onnx-models.ts';
import { freshetError, patchOf } from '../support/serving.ts';

const load = (file: Uint8Array) => RebuildEngine.load(file, readOnnxLayout(file), ENGINE_DEFAULTS);

const pair = (x0: number, x1: number): NamedTensor => ({
  name: 'x',
  datatype: 'FP32',
  shape: [1, 2],
  values: Float32Array.of(x0, x1),
});

describe('rebuild engine', () => {
  it('answers with patched weights, and the file holds them', async () => {
    const file = sumModel(1);
    const engine = await load(file);
    assert.deepEqual(await engine.infer([pair(1, 1000)], ['y']), [
      { name: 'y', datatype: 'FP32', shape: [1, 1], values: Float32Array.of(1002) },
    ]);
    await engine.patch(patchOf([0, 2], [5, -3]));
    const [output] = await engine.infer([pair(1, 1000)], ['y']);
    assert.deepEqual(output?.values, Float32Array.of(5 + 1000 - 3));
    assert.deepEqual(extractWeights(file, readOnnxLayout(file)), Float32Array.of(5, 1, -3));
    await engine.dispose();
  });

  for (const [what, bad] of [
    ['NaN', Number.NaN],
    ['infinity', Number.POSITIVE_INFINITY],
  ] as const) {
    it(`refuses weights that answer with ${what} and keeps the bytes and the answers of before`, async () => {
      const file = sumModel(1);
      const before = file.slice();
      const engine = await load(file);
      await assert.rejects(
        engine.patch(patchOf([1, 2], [7, bad])),
        freshetError('PREDICTOR_FAILED', `answer zeros with ${bad} in output "y"`),
      );
      assert.deepEqual(file, before);
      const [output] = await engine.infer([pair(1, 1000)], ['y']);
      assert.deepEqual(output?.values, Float32Array.of(1002));
      await engine.patch(patchOf([0], [2]));
      const [next] = await engine.infer([pair(1, 1000)], ['y']);
      assert.deepEqual(next?.values, Float32Array.of(1003));
      await engine.dispose();
    });
  }

  it('takes back a patch that ONNX Runtime itself refuses', async () => {
    // No float makes a session fail to build, so the file's graph is broken under the engine's hands.
    const file = sumModel(1);
    const engine = await load(file);
    const graphByte = file[0]!;
    file[0] = 0xff;
    const broken = file.slice();
    await assert.rejects(
      engine.patch(patchOf([0], [9])),
      freshetError('PREDICTOR_FAILED', 'ONNX Runtime refuses the model'),
    );
    assert.deepEqual(file, broken);
    file[0] = graphByte;
    await engine.patch(patchOf([0], [2]));
    const [output] = await engine.infer([pair(1, 0)], ['y']);
    assert.deepEqual(output?.values, Float32Array.of(3));
    await engine.dispose();
  });

  it('describes inputs and outputs of every type, with −1 for what is free', async () => {
    const file = buildOnnx({
      nodes: [
        { op: 'Gemm', inputs: ['x', 'w', ''], outputs: ['y'] },
        { op: 'Cast', inputs: ['flags'], outputs: ['halves'], attributes: { to: 10 } },
        { op: 'Cast', inputs: ['flags'], outputs: ['longs'], attributes: { to: 7 } },
      ],
      initializers: [{ name: 'w', shape: [2, 1], values: Float32Array.of(1, 2) }],
      inputs: [
        { name: 'x', type: 'float32', shape: ['batch', 2] },
        { name: 'flags', type: 'bool', shape: [3] },
      ],
      outputs: [
        { name: 'y', type: 'float32', shape: ['batch', 1] },
        { name: 'halves', type: 'float16', shape: [3] },
        { name: 'longs', type: 'int64', shape: [3] },
      ],
    });
    const engine = await load(file);
    assert.deepEqual(engine.signature, {
      inputs: [
        { name: 'x', datatype: 'FP32', shape: [-1, 2] },
        { name: 'flags', datatype: 'BOOL', shape: [3] },
      ],
      outputs: [
        { name: 'y', datatype: 'FP32', shape: [-1, 1] },
        { name: 'halves', datatype: 'FP16', shape: [3] },
        { name: 'longs', datatype: 'INT64', shape: [3] },
      ],
    });
    const flags: NamedTensor = {
      name: 'flags',
      datatype: 'BOOL',
      shape: [3],
      values: Uint8Array.of(1, 0, 1),
    };
    // A subset, and not in the model's order. 1.0 in binary16 is 0x3c00.
    assert.deepEqual(await engine.infer([pair(1, 10), flags], ['longs', 'halves']), [
      { name: 'longs', datatype: 'INT64', shape: [3], values: BigInt64Array.of(1n, 0n, 1n) },
      { name: 'halves', datatype: 'FP16', shape: [3], values: Uint16Array.of(0x3c00, 0, 0x3c00) },
    ]);
    await engine.dispose();
  });

  it('says so when the values are what the model cannot compute, and goes on', async () => {
    const file = buildOnnx({
      nodes: [{ op: 'Gather', inputs: ['table', 'row'], outputs: ['y'] }],
      initializers: [{ name: 'table', shape: [3, 1], values: Float32Array.of(10, 20, 30) }],
      inputs: [{ name: 'row', type: 'int64', shape: ['n'] }],
      outputs: [{ name: 'y', type: 'float32', shape: ['n', 1] }],
    });
    const engine = await load(file);
    const row = (value: bigint): NamedTensor => ({
      name: 'row',
      datatype: 'INT64',
      shape: [1],
      values: BigInt64Array.of(value),
    });
    await assert.rejects(
      engine.infer([row(3n)], ['y']),
      freshetError('INPUT_INVALID', /cannot compute these inputs: .*Gather/),
    );
    const [output] = await engine.infer([row(2n)], ['y']);
    assert.deepEqual(output?.values, Float32Array.of(30));
    await engine.dispose();
  });

  it('refuses a model with strings, naming the tensor', async () => {
    const file = buildOnnx({
      nodes: [{ op: 'Identity', inputs: ['words'], outputs: ['same'] }],
      initializers: [],
      inputs: [{ name: 'words', type: 'string', shape: [1] }],
      outputs: [{ name: 'same', type: 'string', shape: [1] }],
    });
    await assert.rejects(
      load(file),
      freshetError('PREDICTOR_FAILED', 'input "words" of the model is string'),
    );
  });

  it('asserts that its calls do not overlap', async () => {
    const engine = await load(sumModel(1));
    const patching = engine.patch(patchOf([0], [2]));
    await assert.rejects(engine.infer([pair(1, 1)], ['y']), { name: 'InvariantError' });
    await patching;
    await engine.dispose();
  });

  it('does not grow with rebuilds', async (test) => {
    const engine = await load(lenetModel(1));
    const rebuild = async (count: number): Promise<number> => {
      for (let i = 0; i < count; i++) await engine.patch(patchOf([i, 30_000 + i], [0.01, -0.01]));
      return process.memoryUsage.rss() / 2 ** 20;
    };
    const settled = await rebuild(100);
    const after = await rebuild(300);
    test.diagnostic(`resident: ${settled.toFixed(0)} MiB after 100 rebuilds, ${after.toFixed(0)} after 400`);
    // A leak of one session's weights alone would be 300 × 0.24 = 71 MiB.
    assert.ok(after - settled < 40, `grew by ${(after - settled).toFixed(0)} MiB`);
    await engine.dispose();
  });
});
