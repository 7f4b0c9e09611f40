/**
 * Which tfjs backend is chosen, and why not a better one. The native packages are optional and need not be installed
 * where tests run: what they can do wrong is played by an import function; wasm and cpu are the real ones.
 */
import { strict as assert } from 'node:assert';
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { afterEach, describe, it } from 'node:test';
import util from 'node:util';
import { BACKEND_NAMES } from '@freshet/trainer/learn/backends/backend';
import { gpuBackend, nativeBackend } from '@freshet/trainer/learn/backends/native';
import { selectBackend } from '@freshet/trainer/learn/backends/select-backend';
import { wasmBackend } from '@freshet/trainer/learn/backends/wasm';
import * as tf from '@tensorflow/tfjs-core';

const GPU_PACKAGE = '@tensorflow/tfjs-node-gpu';

/** What Node.js throws for a package that is not there. */
function absent(packageName: string): Error {
  return Object.assign(new Error(`Cannot find package '${packageName}' imported from x`), {
    code: 'ERR_MODULE_NOT_FOUND',
  });
}

/** What importing tfjs-node does: it registers TensorFlow and makes it the backend in use. */
function registerTensorFlow(isUsingGpuDevice: boolean): void {
  class NativeBackend extends tf.KernelBackend {
    readonly isUsingGpuDevice = isUsingGpuDevice;
    override dispose(): void {
      // It holds nothing.
    }
  }
  tf.registerBackend('tensorflow', () => new NativeBackend());
  tf.setBackend('tensorflow');
}

afterEach(() => {
  if (tf.findBackend('tensorflow') !== null) tf.removeBackend('tensorflow');
});

describe('selectBackend', () => {
  it('takes the first that works and gives a reason for each before it', async () => {
    const { name, why } = await selectBackend('auto');
    assert.equal(name, BACKEND_NAMES[why.length]);
    for (const [index, line] of why.entries()) {
      assert.ok(line.startsWith(`${BACKEND_NAMES[index]}: `), line);
      assert.ok(!line.includes('\n'));
    }
  });

  it('starts wasm with SIMD, and cpu, when asked for', async () => {
    assert.deepEqual(await selectBackend('wasm'), { name: 'wasm', why: [] });
    assert.equal(tf.getBackend(), 'wasm');
    assert.equal(await tf.env().getAsync('WASM_HAS_SIMD_SUPPORT'), true);
    assert.deepEqual(await selectBackend('cpu'), { name: 'cpu', why: [] });
    assert.equal(tf.getBackend(), 'cpu');
    assert.deepEqual(await selectBackend('wasm'), { name: 'wasm', why: [] });
    assert.equal(tf.getBackend(), 'wasm');
  });

  it('refuses one asked for that cannot run, and keeps the one in use', async () => {
    await selectBackend('wasm');
    const broken = gpuBackend(async () => {
      throw new Error('tfjs_binding.node: file not found\nat line 2');
    });
    await assert.rejects(selectBackend('tfjs-node-gpu', [broken, wasmBackend]), {
      code: 'BACKEND_UNAVAILABLE',
      message:
        'the backend asked for cannot run here (tfjs-node-gpu: does not load: tfjs_binding.node: file not found): ' +
        'choose auto or another of tfjs-node-gpu, tfjs-node, wasm, cpu',
    });
    assert.equal(tf.getBackend(), 'wasm');
  });

  it('refuses when none can run', async () => {
    await assert.rejects(selectBackend('auto', []), { code: 'BACKEND_UNAVAILABLE' });
  });

  it('tells a package that is absent from one that lacks something', async () => {
    const missing = async (packageName: string) => {
      throw absent(packageName);
    };
    const lacking = async () => {
      throw absent('node-pre-gyp');
    };
    const notInstalled = 'not installed (its installer fetches binaries from storage.googleapis.com)';
    assert.deepEqual(await gpuBackend(missing).start(), { kind: 'unusable', reason: notInstalled });
    assert.deepEqual(await nativeBackend(missing).start(), { kind: 'unusable', reason: notInstalled });
    assert.deepEqual(await gpuBackend(lacking).start(), {
      kind: 'unusable',
      reason: "does not load: Cannot find package 'node-pre-gyp' imported from x",
    });
    assert.deepEqual(await gpuBackend(async () => ({})).start(), {
      kind: 'unusable',
      reason: 'does not register a backend',
    });
  });

  it('counts the GPU package without a GPU as tfjs-node', async () => {
    await selectBackend('wasm');
    const importPackage = async (packageName: string) => {
      if (packageName !== GPU_PACKAGE) throw absent(packageName);
      registerTensorFlow(false);
    };
    const candidates = [gpuBackend(importPackage), nativeBackend(importPackage), wasmBackend];
    assert.deepEqual(await selectBackend('auto', candidates), {
      name: 'tfjs-node',
      why: ['tfjs-node-gpu: TensorFlow found no GPU that it can use'],
    });
    assert.equal(tf.getBackend(), 'tensorflow');
  });

  it('takes the GPU where there is one', async () => {
    const candidates = [gpuBackend(async () => registerTensorFlow(true)), wasmBackend];
    assert.deepEqual(await selectBackend('auto', candidates), { name: 'tfjs-node-gpu', why: [] });
    assert.equal(tf.getBackend(), 'tensorflow');
  });

  it('puts back what tfjs-node needs of node:util before it loads it', async () => {
    const original = Object.getOwnPropertyDescriptor(util, 'isNullOrUndefined');
    Reflect.deleteProperty(util, 'isNullOrUndefined');
    try {
      const seen: unknown[] = [];
      await gpuBackend(async () => {
        const { isNullOrUndefined } = createRequire(import.meta.url)('node:util');
        seen.push(isNullOrUndefined(undefined), isNullOrUndefined(null), isNullOrUndefined(0));
      }).start();
      assert.deepEqual(seen, [true, true, false]);
    } finally {
      if (original !== undefined) Object.defineProperty(util, 'isNullOrUndefined', original);
    }
  });

  it('leaves one copy of tfjs-core in the process, no output, and errors that are uncaught readable', () => {
    const program = `
      import { createRequire } from 'node:module';
      import { selectBackend } from '@freshet/trainer/learn/backends/select-backend';
      import * as tf from '@tensorflow/tfjs-core';
      await selectBackend('cpu');
      tf.dispose(tf.add(tf.scalar(1), 1));
      await selectBackend('wasm');
      tf.dispose(tf.add(tf.scalar(1), 1));
      const loaded = Object.keys(createRequire(import.meta.url).cache);
      const copies = loaded.filter((file) => /tfjs-core.dist/.test(file));
      if (copies.length !== 1) throw new Error(copies.join());
      if (process.listenerCount('uncaughtException') + process.listenerCount('unhandledRejection') > 0) {
        throw new Error('listeners');
      }
    `;
    const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
      encoding: 'utf8',
      cwd: import.meta.dirname,
    });
    assert.deepEqual({ status, stdout, stderr }, { status: 0, stdout: '', stderr: '' });
  });
});
