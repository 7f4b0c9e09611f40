/**
 * Chooses the tfjs backend that trains: the one asked for, or the first that works. Call it once, before any tensor
 * is made.
 */

// Not for its names: loading the layers registers the gradients of all ops, without which nothing trains.
import '@tensorflow/tfjs-layers';
import { assert } from '@freshet/protocol/assert';
import { FreshetError } from '@freshet/protocol/errors';
import * as tf from '@tensorflow/tfjs-core';
import { BACKEND_NAMES, type Backend, type BackendName, type BackendStart } from './backend.ts';
import { cpuBackend } from './cpu.ts';
import { gpuBackend, nativeBackend } from './native.ts';
import { wasmBackend } from './wasm.ts';
import { webgpuBackend } from './webgpu.ts';

export interface BackendSelection {
  /** The backend that runs. */
  readonly name: BackendName;
  /** What it runs on, for a person. */
  readonly adapter: string;
  /** For each better one that does not run: one line `name: reason`, best first. Empty for one asked for by name. */
  readonly why: readonly string[];
}

const BACKENDS: readonly Backend[] = [
  gpuBackend(),
  nativeBackend(),
  webgpuBackend(),
  wasmBackend,
  cpuBackend,
];

/** The environment variable that lets webgpu run on a processor, when it is asked for by name. */
const SOFTWARE_VARIABLE = 'FRESHET_WEBGPU_SOFTWARE';

/** Starts the backend of this name and makes tfjs use it, or says why it cannot run here. */
export async function startBackend(
  name: BackendName,
  backends: readonly Backend[] = BACKENDS,
): Promise<BackendStart> {
  // tfjs prints banners and advice to the console outside of its production mode.
  tf.enableProdMode();
  const backend = backends.find((each) => each.name === name);
  assert(backend !== undefined, `there is a backend ${name}`);
  return backend.start({ allowSoftware: process.env[SOFTWARE_VARIABLE] === '1' });
}

/**
 * Starts `requested`, or with `auto` the first of `backends` that works, and makes tfjs use it.
 * @throws BACKEND_UNAVAILABLE when the one asked for cannot run here, or with `auto` none can.
 */
export async function selectBackend(
  requested: BackendName | 'auto',
  backends: readonly Backend[] = BACKENDS,
): Promise<BackendSelection> {
  if (requested !== 'auto') {
    const started = await startBackend(requested, backends);
    if (started.kind === 'started') return { name: requested, adapter: started.adapter, why: [] };
    throw unavailable(requested, [`${requested}: ${started.reason}`]);
  }
  tf.enableProdMode();
  const why: string[] = [];
  for (const backend of backends) {
    const started = await backend.start();
    if (started.kind === 'started') return { name: backend.name, adapter: started.adapter, why };
    why.push(`${backend.name}: ${started.reason}`);
  }
  throw unavailable(requested, why);
}

function unavailable(requested: BackendName | 'auto', why: readonly string[]): FreshetError {
  const reasons = why.join('; ');
  const message =
    requested === 'auto'
      ? `no tfjs backend can run here (${reasons}): \`freshet doctor\` says what to do`
      : `the backend asked for cannot run here (${reasons}): \`freshet doctor\` says what to do; ` +
        `or choose auto or another of ${BACKEND_NAMES.join(', ')}`;
  return new FreshetError('BACKEND_UNAVAILABLE', message, { details: { requested, why } });
}
