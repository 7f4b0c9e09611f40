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
import type { ImportPackage } from '@freshet/trainer/learn/backends/packages';
import { selectBackend } from '@freshet/trainer/learn/backends/select-backend';
import { wasmBackend } from '@freshet/trainer/learn/backends/wasm';
import { webgpuBackend } from '@freshet/trainer/learn/backends/webgpu';
import * as tf from '@tensorflow/tfjs-core';

const GPU_PACKAGE = '@tensorflow/tfjs-node-gpu';

/** What Node.js throws for a package that is not there. */
function absent(packageName: string): Error {
  return Object.assign(new Error(`Cannot find package '${packageName}' imported from x`), {
    code: 'ERR_MODULE_NOT_FOUND',
  });
}

/** Nothing built on this machine: only what `importPackage` gives. */
function from(importPackage: ImportPackage) {
  return () => ({ importPackage, nativeBuild: null });
}

/** What importing tfjs-node does: it registers TensorFlow and makes it the backend in use. */
function registerTensorFlow(isUsingGpuDevice: boolean): void {
  class NativeBackend extends tf.KernelBackend {
    readonly isUsingGpuDevice = isUsingGpuDevice;
    readonly binding = { TF_Version: '2.21.0' };
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
    const wasm = { name: 'wasm', adapter: 'WebAssembly with SIMD, 1 thread', why: [] };
    assert.deepEqual(await selectBackend('wasm'), wasm);
    assert.equal(tf.getBackend(), 'wasm');
    assert.equal(await tf.env().getAsync('WASM_HAS_SIMD_SUPPORT'), true);
    const cpu = { name: 'cpu', adapter: 'JavaScript, 1 thread', why: [] };
    assert.deepEqual(await selectBackend('cpu'), cpu);
    assert.equal(tf.getBackend(), 'cpu');
    assert.deepEqual(await selectBackend('wasm'), wasm);
    assert.equal(tf.getBackend(), 'wasm');
  });

  it('refuses one asked for that cannot run, and keeps the one in use', async () => {
    await selectBackend('wasm');
    const broken = gpuBackend(
      from(async () => {
        throw new Error('tfjs_binding.node: file not found\nat line 2');
      }),
    );
    await assert.rejects(selectBackend('tfjs-node-gpu', [broken, wasmBackend]), {
      code: 'BACKEND_UNAVAILABLE',
      message:
        'the backend asked for cannot run here (tfjs-node-gpu: does not load: tfjs_binding.node: file not found): ' +
        '`freshet doctor` says what to do; or choose auto or another of tfjs-node-gpu, tfjs-node, webgpu, wasm, cpu',
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
    const remedy = 'build it with `npm run native -- --cuda`';
    const refused = (reason: string) => ({ kind: 'unusable', reason, remedy });
    assert.deepEqual(await gpuBackend(from(missing)).start(), refused(notInstalled));
    assert.deepEqual(await nativeBackend(from(missing)).start(), {
      ...refused(notInstalled),
      remedy: 'build it with `npm run native`',
    });
    assert.deepEqual(
      await gpuBackend(from(lacking)).start(),
      refused("does not load: Cannot find package 'node-pre-gyp' imported from x"),
    );
    assert.deepEqual(
      await gpuBackend(from(async () => ({}))).start(),
      refused('does not register a backend'),
    );
  });

  it('prefers what was built on this machine to an installed package', async () => {
    const imported: string[] = [];
    const importPackage = async (source: string) => {
      imported.push(source);
      registerTensorFlow(false);
    };
    const started = await nativeBackend(() => ({ importPackage, nativeBuild: 'file:///built' })).start();
    assert.deepEqual(started, { kind: 'started', adapter: 'TensorFlow 2.21.0, CPU' });
    assert.deepEqual(imported, ['file:///built']);
  });

  it('counts the GPU package without a GPU as tfjs-node', async () => {
    await selectBackend('wasm');
    const importPackage = async (packageName: string) => {
      if (packageName !== GPU_PACKAGE) throw absent(packageName);
      registerTensorFlow(false);
    };
    const candidates = [gpuBackend(from(importPackage)), nativeBackend(from(importPackage)), wasmBackend];
    assert.deepEqual(await selectBackend('auto', candidates), {
      name: 'tfjs-node',
      adapter: 'TensorFlow 2.21.0, CPU',
      why: ['tfjs-node-gpu: TensorFlow found no GPU that it can use'],
    });
    assert.equal(tf.getBackend(), 'tensorflow');
  });

  it('takes the GPU where there is one', async () => {
    const candidates = [gpuBackend(from(async () => registerTensorFlow(true))), wasmBackend];
    assert.deepEqual(await selectBackend('auto', candidates), {
      name: 'tfjs-node-gpu',
      adapter: 'TensorFlow 2.21.0, GPU',
      why: [],
    });
    assert.equal(tf.getBackend(), 'tensorflow');
  });

  it('puts back what tfjs-node needs of node:util before it loads it', async () => {
    const original = Object.getOwnPropertyDescriptor(util, 'isNullOrUndefined');
    Reflect.deleteProperty(util, 'isNullOrUndefined');
    try {
      const seen: unknown[] = [];
      await gpuBackend(
        from(async () => {
          const { isNullOrUndefined } = createRequire(import.meta.url)('node:util');
          seen.push(isNullOrUndefined(undefined), isNullOrUndefined(null), isNullOrUndefined(0));
        }),
      ).start();
      assert.deepEqual(seen, [true, true, false]);
    } finally {
      if (original !== undefined) Object.defineProperty(util, 'isNullOrUndefined', original);
    }
  });

  it('says which of the packages behind webgpu is missing', async () => {
    for (const lacking of ['webgpu', '@tensorflow/tfjs-backend-webgpu']) {
      const importPackage = async (packageName: string) => {
        if (packageName === lacking) throw absent(packageName);
        return {};
      };
      // `webgpu` is the second to be loaded: the first is there then.
      assert.deepEqual(await webgpuBackend({ importPackage, obstacle: () => null }).start(), {
        kind: 'unusable',
        reason: `not installed: ${lacking}`,
        remedy: 'run `npm install` without --omit=optional',
      });
    }
  });

  it('takes no processor for a GPU unless it is asked to', async () => {
    await selectBackend('wasm');
    const info = { vendor: 'google', architecture: 'swiftshader', description: '', isFallbackAdapter: true };
    const requestDevice = async () => {
      throw new Error('the device was asked for');
    };
    const gpu = { requestAdapter: async () => ({ info, limits: {}, requestDevice }) };
    const importPackage = async (name: string) =>
      name === 'webgpu' ? { create: () => gpu, globals: {} } : {};
    const backend = webgpuBackend({ importPackage, obstacle: () => null });
    const refused = await backend.start();
    assert.equal(refused.kind, 'unusable');
    assert.equal(refused.reason, 'the only adapter is a processor: google swiftshader (software)');
    assert.match(refused.remedy, /FRESHET_WEBGPU_SOFTWARE=1/);
    const asked = await backend.start({ allowSoftware: true });
    assert.equal(asked.kind, 'unusable');
    assert.equal(asked.reason, 'its device does not open: the device was asked for');
    assert.equal(tf.getBackend(), 'wasm');
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
