/**
 * TensorFlow itself, by way of `@tensorflow/tfjs-node-gpu` and `@tensorflow/tfjs-node`, or of what `npm run native` has
 * built. None is needed: npm leaves an optional package out when its installer fails. What was made for GPUs also runs
 * without one; it then counts as `tfjs-node`, so that the name of the backend says what the work runs on.
 */
import util from 'node:util';
import * as tf from '@tensorflow/tfjs-core';
import {
  type Backend,
  type BackendName,
  type BackendStart,
  reasonOf,
  type Unusable,
  unusable,
} from './backend.ts';
import { findNativeBuild } from './native-build.ts';
import { type ImportPackage, importInstalled, isAbsent } from './packages.ts';

type NativeName = Extract<BackendName, 'tfjs-node-gpu' | 'tfjs-node'>;

/** The name under which all of them register with tfjs. */
const TENSORFLOW = 'tensorflow';

const BUILD_ADVICE: Readonly<Record<NativeName, string>> = {
  'tfjs-node-gpu': 'build it with `npm run native -- --cuda`',
  'tfjs-node': 'build it with `npm run native`',
};

/** Where TensorFlow may come from. Parameters, because none can be expected where tests run. */
export interface NativeSources {
  readonly importPackage: ImportPackage;
  /** What to import to get the addon built on this machine, or null where there is none. */
  readonly nativeBuild: string | null;
}

function installed(): NativeSources {
  return { importPackage: importInstalled, nativeBuild: findNativeBuild() };
}

export function gpuBackend(sources: () => NativeSources = installed): Backend {
  return {
    name: 'tfjs-node-gpu',
    start: () => start('tfjs-node-gpu', ['@tensorflow/tfjs-node-gpu'], sources()),
  };
}

export function nativeBackend(sources: () => NativeSources = installed): Backend {
  return {
    name: 'tfjs-node',
    start: () => start('tfjs-node', ['@tensorflow/tfjs-node', '@tensorflow/tfjs-node-gpu'], sources()),
  };
}

/** Takes what was built here, and else the first of `packageNames` that loads. */
async function start(
  name: NativeName,
  packageNames: readonly string[],
  { importPackage, nativeBuild }: NativeSources,
): Promise<BackendStart> {
  const refusals: Unusable[] = [];
  for (const source of nativeBuild === null ? packageNames : [nativeBuild, ...packageNames]) {
    const refusal = await load(source, importPackage, BUILD_ADVICE[name]);
    if (refusal !== null) {
      refusals.push(refusal);
      continue;
    }
    if (name === 'tfjs-node-gpu' && !usesGpu()) {
      return unusable(
        'TensorFlow found no GPU that it can use',
        'it takes an NVIDIA GPU with its driver, and CUDA libraries, which `npm run native -- --cuda` brings',
      );
    }
    await tf.setBackend(TENSORFLOW);
    return { kind: 'started', adapter: adapterName() };
  }
  return refusals[0]!;
}

/** Loads one of the sources. Returns why it cannot be used, or null when TensorFlow is registered. */
async function load(source: string, importPackage: ImportPackage, remedy: string): Promise<Unusable | null> {
  if (tf.findBackend(TENSORFLOW) !== null) return null;
  prepareProcess();
  const previous = tf.findBackend(tf.getBackend()) === null ? null : tf.getBackend();
  try {
    await importPackage(source);
  } catch (error) {
    return isAbsent(error, source)
      ? unusable('not installed (its installer fetches binaries from storage.googleapis.com)', remedy)
      : unusable(`does not load: ${reasonOf(error)}`, remedy);
  }
  // Loading makes TensorFlow the backend in use; that is for `start` to decide.
  if (previous !== null) await tf.setBackend(previous);
  return tf.findBackend(TENSORFLOW) === null ? unusable('does not register a backend', remedy) : null;
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

/** `TensorFlow 2.9.1, CPU` */
function adapterName(): string {
  const backend: unknown = tf.findBackend(TENSORFLOW);
  const binding = propertyOf(backend, 'binding');
  const version = propertyOf(binding, 'TF_Version');
  const device = usesGpu() ? 'GPU' : 'CPU';
  return typeof version === 'string' ? `TensorFlow ${version}, ${device}` : `TensorFlow, ${device}`;
}

function propertyOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}
