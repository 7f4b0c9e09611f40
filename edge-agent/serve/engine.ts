/**
 * The two sides of serving a model in the predictor's thread: `Engine`, a loaded model whose weights can change, and
 * the settings it runs with. `RebuildEngine` makes a new ONNX Runtime session for each change; an engine that patches
 * a live session fits behind the same interface.
 */
import type { SparseDelta } from '@freshet/protocol/delta';
import type { ModelSignature, NamedTensor } from '../core/tensor.ts';

export interface EngineOptions {
  /** Threads that share one operator. Each session owns its pool, and while one replaces another both exist. */
  readonly intraOpThreads: number;
}

/** One is right for small models and leaves a device's other cores alone. */
export const ENGINE_DEFAULTS: EngineOptions = { intraOpThreads: 1 };

/** Calls must not overlap: the predictor's thread makes them one after the other. */
export interface Engine {
  readonly signature: ModelSignature;

  /**
   * Resolves when the changed weights answer.
   * @throws PREDICTOR_FAILED when they cannot; then nothing has changed.
   */
  patch(delta: SparseDelta): Promise<void>;

  /**
   * The outputs named, in that order. `inputs` are only read, and not kept; the result belongs to the caller.
   * @throws INPUT_INVALID when the model cannot compute these inputs.
   */
  infer(inputs: readonly NamedTensor[], outputs: readonly string[]): Promise<NamedTensor[]>;

  /** Frees the native memory. No call may follow. */
  dispose(): Promise<void>;
}
