/** The child process of an examination: starts one backend, trains LeNet-5 for some steps, sends its finding, ends. */
import { assert } from '@freshet/protocol/assert';
import { FreshetError } from '@freshet/protocol/errors';
import { type BackendName, unusable } from '../backends/backend.ts';
import { startBackend } from '../backends/select-backend.ts';
import { mnistLenet5 } from '../recipes/mnist-lenet5.ts';
import type { ExaminationRequest, Finding } from './examination.ts';
import { measureStep, type StepTimeOptions } from './step-time.ts';

const [, , requestJson] = process.argv;
assert(requestJson !== undefined && process.send !== undefined, 'an examination is started by its parent');
// Written by examineBackend.
const { backend, ...options } = JSON.parse(requestJson) as ExaminationRequest;
const finding = await examine(backend, options);
// A native library may hold on to the process.
process.send(finding, () => process.exit());

async function examine(name: BackendName, options: StepTimeOptions): Promise<Finding> {
  const started = await startBackend(name);
  if (started.kind === 'unusable') return started;
  const { adapter, onRequestOnly } = started;
  try {
    const time = await measureStep(mnistLenet5, options);
    return { kind: 'runs', adapter, ...(onRequestOnly && { onRequestOnly }), ...time };
  } catch (error) {
    if (!(error instanceof FreshetError)) throw error;
    return unusable(`starts and cannot train: ${error.message}`, 'use another backend');
  }
}
