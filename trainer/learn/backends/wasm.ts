/** WebAssembly with SIMD: the backend of the default install. Needs no native library and trains in one thread. */
import { createRequire } from 'node:module';
import { dirname, sep } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { registerWasmKernels } from '../kernels/register-wasm-kernels.ts';
import { type Backend, reasonOf, unusable } from './backend.ts';

const REINSTALL = 'install Freshet again: the package @tensorflow/tfjs-backend-wasm is part of it';

export const wasmBackend: Backend = {
  name: 'wasm',
  async start() {
    // A second start in one process finds the kernels registered and the modules compiled.
    if (tf.findBackend('wasm') === null) {
      try {
        const { setWasmPaths } = await import('@tensorflow/tfjs-backend-wasm');
        const entryPoint = createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm');
        setWasmPaths(dirname(entryPoint) + sep);
        registerWasmKernels();
      } catch (error) {
        return unusable(reasonOf(error), REINSTALL);
      }
    }
    if (!(await withoutNewListeners(() => tf.setBackend('wasm')))) {
      return unusable(
        'this build of Node.js cannot run its WebAssembly module',
        'use the Node.js that comes with `npm install`, without --jitless',
      );
    }
    const simd = await tf.env().getAsync('WASM_HAS_SIMD_SUPPORT');
    return { kind: 'started', adapter: `WebAssembly${simd === true ? ' with SIMD' : ''}, 1 thread` };
  },
};

/**
 * Runs `start` and takes away the process listeners that Emscripten adds meanwhile: they throw every uncaught error
 * again from a line of minified code, which hides where it came from and turns exit code 1 into 7.
 */
async function withoutNewListeners<Result>(start: () => Promise<Result>): Promise<Result> {
  const before = new Set([
    ...process.listeners('uncaughtException'),
    ...process.listeners('unhandledRejection'),
  ]);
  try {
    return await start();
  } finally {
    for (const listener of process.listeners('uncaughtException')) {
      if (!before.has(listener)) process.off('uncaughtException', listener);
    }
    for (const listener of process.listeners('unhandledRejection')) {
      if (!before.has(listener)) process.off('unhandledRejection', listener);
    }
  }
}
