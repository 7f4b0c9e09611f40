/** The child's side of an examination: starts one backend, trains for some steps, sends its finding, ends. */
import { assert } from '@freshet/protocol/assert';
import { FreshetError } from '@freshet/protocol/errors';
import { type BackendName, unusable } from '../backends/backend.ts';
import { startBackend } from '../backends/select-backend.ts';
import type { Recipe } from '../recipe.ts';
import type { ExaminationRequest, Finding } from './examination.ts';
import { measureStep, type StepTimeOptions } from './step-time.ts';

/** Ends the process. It is one that `examineBackend` has started. */
export async function runExamination(recipe: Recipe): Promise<void> {
  const [, , requestJson] = process.argv;
  assert(requestJson !== undefined && process.send !== undefined, 'an examination is started by its parent');
  // Written by examineBackend.
  const { backend, ...options } = JSON.parse(requestJson) as ExaminationRequest;
  const finding = await examine(recipe, backend, options);
  // A native library may hold on to the process.
  process.send(finding, () => process.exit());
}

async function examine(recipe: Recipe, name: BackendName, options: StepTimeOptions): Promise<Finding> {
  const started = await startBackend(name);
  if (started.kind === 'unusable') return started;
  const { adapter, onRequestOnly } = started;
  try {
    const time = await measureStep(recipe, options);
    return { kind: 'runs', adapter, ...(onRequestOnly && { onRequestOnly }), ...time };
  } catch (error) {
    if (!(error instanceof FreshetError)) throw error;
    return unusable(`starts and cannot train: ${error.message}`, 'use another backend');
  }
}
