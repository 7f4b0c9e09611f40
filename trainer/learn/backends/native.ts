/**
 * TensorFlow itself, by way of the packages `@tensorflow/tfjs-node-gpu` and `@tensorflow/tfjs-node`. Neither is
 * needed: npm leaves an optional package out when its installer fails. The GPU package also runs without a GPU; it
 * then counts as `tfjs-node`, so that the name of the backend says what the work runs on.
 */
import util from 'node:util';
import * as tf from '@tensorflow/tfjs-core';
import { type Backend, type BackendName, type BackendStart, reasonOf } from './backend.ts';

/** The name under which both packages register with tfjs. */
const TENSORFLOW = 'tensorflow';

/** Loads a package by name; a parameter because neither package can be expected where tests run. */
export type ImportPackage = (packageName: string) => Promise<unknown>;

/** The name is not a literal, so that the type check passes where the package is absent. */
const importInstalled: ImportPackage = (packageName) => import(packageName);

export function gpuBackend(importPackage: ImportPackage = importInstalled): Backend {
  return {
    name: 'tfjs-node-gpu',
    start: () => start('tfjs-node-gpu', ['@tensorflow/tfjs-node-gpu'], importPackage),
  };
}

export function nativeBackend(importPackage: ImportPackage = importInstalled): Backend {
  return {
    name: 'tfjs-node',
    start: () => start('tfjs-node', ['@tensorflow/tfjs-node', '@tensorflow/tfjs-node-gpu'], importPackage),
  };
}

async function start(
  name: BackendName,
  packageNames: readonly string[],
  importPackage: ImportPackage,
): Promise<BackendStart> {
  const reasons: string[] = [];
  for (const packageName of packageNames) {
    const reason = await load(packageName, importPackage);
    if (reason !== null) {
      reasons.push(reason);
      continue;
    }
    if (name === 'tfjs-node-gpu' && !usesGpu()) {
      return { kind: 'unusable', reason: 'TensorFlow found no GPU that it can use' };
    }
    await tf.setBackend(TENSORFLOW);
    return { kind: 'started' };
  }
  return { kind: 'unusable', reason: reasons[0]! };
}

/** Loads one of the packages. Returns why it cannot be used, or null when TensorFlow is registered. */
async function load(packageName: string, importPackage: ImportPackage): Promise<string | null> {
  if (tf.findBackend(TENSORFLOW) !== null) return null;
  prepareProcess();
  const previous = tf.findBackend(tf.getBackend()) === null ? null : tf.getBackend();
  try {
    await importPackage(packageName);
  } catch (error) {
    return isAbsent(error, packageName)
      ? 'not installed (its installer fetches binaries from storage.googleapis.com)'
      : `does not load: ${reasonOf(error)}`;
  }
  // Loading makes TensorFlow the backend in use; that is for `start` to decide.
  if (previous !== null) await tf.setBackend(previous);
  return tf.findBackend(TENSORFLOW) === null ? 'does not register a backend' : null;
}

function prepareProcess(): void {
  // tfjs-node 4.22 calls functions that Node.js 23 took out of `node:util`, and that warn before.
  Object.assign(util, {
    isArray: Array.isArray,
    isNullOrUndefined: (value: unknown) => value === null || value === undefined,
    isUndefined: (value: unknown) => value === undefined,
  });
  // TensorFlow's start-up notices go to stderr otherwise; warnings and errors still do.
  process.env['TF_CPP_MIN_LOG_LEVEL'] ??= '1';
  // Without it TensorFlow takes all GPU memory at once.
  process.env['TF_FORCE_GPU_ALLOW_GROWTH'] ??= 'true';
}

function usesGpu(): boolean {
  const backend: unknown = tf.findBackend(TENSORFLOW);
  return (
    typeof backend === 'object' &&
    backend !== null &&
    'isUsingGpuDevice' in backend &&
    backend.isUsingGpuDevice === true
  );
}

/** Whether the package itself is missing, and not something that it needs. */
function isAbsent(error: unknown, packageName: string): boolean {
  return (
    error instanceof Error &&
    'code' in error &&
    error.code === 'ERR_MODULE_NOT_FOUND' &&
    error.message.includes(`'${packageName}'`)
  );
}
