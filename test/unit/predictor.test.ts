/** The predictor across its thread: order, ownership of buffers, limits, refusal and death. */
import { strict as assert } from 'node:assert';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { FreshetError } from '@freshet/protocol/errors';
import { readOnnxLayout } from '@freshet/protocol/onnx-layout';
import type { NamedTensor } from '../../edge-agent/core/tensor.ts';
import { PREDICTOR_DEFAULTS, WorkerPredictor } from '../../edge-agent/serve/predictor.ts';
import { sumModel } from '../support/onnx-models.ts';
import { freshetError, patchOf, positionOf, startPredictor } from '../support/serving.ts';

const pair = (values = Float32Array.of(1, 1000)): NamedTensor => ({
  name: 'x',
  datatype: 'FP32',
  shape: [1, 2],
  values,
});

const load = (predictor: WorkerPredictor, value: number, version: number) => {
  const file = sumModel(value);
  return predictor.load(file, readOnnxLayout(file), positionOf(version));
};

describe('predictor', () => {
  it('serves what was loaded, then what was patched, and says which', async (test) => {
    const predictor = startPredictor(test);
    assert.equal(predictor.position(), null);
    const signature = await load(predictor, 1, 1);
    assert.deepEqual(signature.inputs, [{ name: 'x', datatype: 'FP32', shape: [-1, 2] }]);
    assert.deepEqual(predictor.position(), positionOf(1));
    assert.deepEqual(await predictor.infer({ inputs: [pair()] }), {
      position: positionOf(1),
      outputs: [{ name: 'y', datatype: 'FP32', shape: [1, 1], values: Float32Array.of(1002) }],
    });
    const outcome = await predictor.patch(patchOf([0, 1, 2], [2, 2, 2]), positionOf(2));
    assert.ok(outcome.kind === 'served' && outcome.buildMs > 0);
    assert.deepEqual(predictor.position(), positionOf(2));
    const { position, outputs } = await predictor.infer({ inputs: [pair()], outputs: ['y'] });
    assert.deepEqual([position, outputs[0]?.values], [positionOf(2), Float32Array.of(2004)]);
  });

  it('keeps answering with the old version when it refuses a patch', async (test) => {
    const predictor = startPredictor(test);
    await load(predictor, 1, 1);
    const outcome = await predictor.patch(patchOf([2], [Number.NaN]), positionOf(2));
    assert.ok(outcome.kind === 'refused' && outcome.error instanceof FreshetError);
    assert.equal(outcome.error.code, 'PREDICTOR_FAILED');
    assert.deepEqual(outcome.error.details, { output: 'y', index: 0 });
    assert.deepEqual(predictor.position(), positionOf(1));
    const { position, outputs } = await predictor.infer({ inputs: [pair()] });
    assert.deepEqual([position, outputs[0]?.values], [positionOf(1), Float32Array.of(1002)]);
  });

  it('carries out calls in the order they are made, without waiting for answers', async (test) => {
    const predictor = startPredictor(test);
    const calls = [
      load(predictor, 1, 1),
      predictor.infer({ inputs: [pair()] }),
      predictor.patch(patchOf([0, 1, 2], [2, 2, 2]), positionOf(2)),
      predictor.infer({ inputs: [pair()] }),
      load(predictor, 3, 3),
      predictor.infer({ inputs: [pair()] }),
    ] as const;
    const [, first, , second, , third] = await Promise.all(calls);
    const seen = [first, second, third].map(({ position, outputs }) => [
      position.version,
      Number(outputs[0]?.values[0]),
    ]);
    assert.deepEqual(seen, [
      [1, 1002],
      [2, 2004],
      [3, 3006],
    ]);
  });

  it('keeps the loaded model when another cannot be loaded', async (test) => {
    const predictor = startPredictor(test);
    await load(predictor, 1, 1);
    await assert.rejects(
      predictor.load(Uint8Array.of(1, 2, 3), [], positionOf(2)),
      freshetError('PREDICTOR_FAILED', 'ONNX Runtime refuses the model'),
    );
    assert.deepEqual((await predictor.infer({ inputs: [pair()] })).position, positionOf(1));
  });

  it('is not ready before the first load', async (test) => {
    const predictor = startPredictor(test);
    await assert.rejects(predictor.infer({ inputs: [pair()] }), freshetError('NOT_READY', 'no weights'));
  });

  it('takes whole buffers over and copies views, and leaves a delta alone', async (test) => {
    const predictor = startPredictor(test);
    await load(predictor, 1, 1);
    const whole = Float32Array.of(1, 1000);
    const shared = Float32Array.of(0, 1, 1000, 0);
    const delta = patchOf([0, 1, 2], [2, 2, 2]);
    const answers = await Promise.all([
      predictor.infer({ inputs: [pair(whole)] }),
      predictor.infer({ inputs: [pair(shared.subarray(1, 3))] }),
      predictor.patch(delta, positionOf(2)),
    ]);
    assert.deepEqual(answers[0].outputs, answers[1].outputs);
    assert.equal(whole.length, 0);
    assert.deepEqual(shared, Float32Array.of(0, 1, 1000, 0));
    assert.deepEqual(delta, patchOf([0, 1, 2], [2, 2, 2]));
  });

  it('refuses one inference more than may wait, and takes the next when there is room', async (test) => {
    const predictor = startPredictor(test, { pendingInferencesMax: 2 });
    await load(predictor, 1, 1);
    const waiting = [predictor.infer({ inputs: [pair()] }), predictor.infer({ inputs: [pair()] })];
    const input = pair();
    await assert.rejects(
      predictor.infer({ inputs: [input] }),
      freshetError('NOT_READY', '2 inferences are waiting'),
    );
    await Promise.all(waiting);
    // The refused call left its input where it was.
    await predictor.infer({ inputs: [input] });
  });

  it('carries out what was asked before it closes, and refuses what comes after', async (test) => {
    const predictor = startPredictor(test);
    await load(predictor, 1, 1);
    const last = predictor.infer({ inputs: [pair()] });
    const closing = predictor.close();
    await assert.rejects(predictor.infer({ inputs: [pair()] }), freshetError('NOT_READY', 'shutting down'));
    assert.deepEqual((await last).position, positionOf(1));
    await closing;
    await predictor.close();
  });

  it('tells everyone who waits when its thread dies, and can be replaced', async (test) => {
    const failures: FreshetError[] = [];
    const predictor = new WorkerPredictor({
      ...PREDICTOR_DEFAULTS,
      onFailure: (error) => failures.push(error),
    });
    await load(predictor, 1, 1);
    // Descending indices are a broken invariant, so the thread ends itself.
    const outcomes = await Promise.allSettled([
      predictor.patch(patchOf([2, 1], [5, 5]), positionOf(2)),
      predictor.infer({ inputs: [pair()] }),
    ]);
    for (const outcome of outcomes) {
      assert.ok(outcome.status === 'rejected');
      freshetError('PREDICTOR_FAILED', "the predictor's thread ended: invariant broken")(outcome.reason);
    }
    assert.equal(failures.length, 1);
    assert.equal(predictor.position(), null);
    await assert.rejects(
      predictor.infer({ inputs: [pair()] }),
      freshetError('PREDICTOR_FAILED', 'thread ended'),
    );
    await predictor.close();

    const replacement = startPredictor(test);
    await load(replacement, 1, 1);
    assert.deepEqual((await replacement.infer({ inputs: [pair()] })).position, positionOf(1));
  });

  it('lets the process exit with its own code while the thread is at work', () => {
    const script = fileURLToPath(new URL('../support/exit-while-inferring.ts', import.meta.url));
    const { status, signal, stderr } = spawnSync(process.execPath, [script], { encoding: 'utf8' });
    assert.deepEqual([status, signal, stderr], [7, null, '']);
  });
});
