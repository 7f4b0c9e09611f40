/**
 * The main thread's face of the predictor: ONNX Runtime blocks its thread while it builds a session and while it runs
 * one, so it lives in a worker, and this file turns calls into messages. It never blocks and holds no weights.
 */
import { isMarkedAsUntransferable, Worker } from 'node:worker_threads';
import { assert } from '@freshet/protocol/assert';
import type { SparseDelta } from '@freshet/protocol/delta';
import { FreshetError } from '@freshet/protocol/errors';
import type { Position } from '@freshet/protocol/ids';
import type { TensorLayout } from '@freshet/protocol/onnx-layout';
import { type ModelSignature, type NamedTensor, type TensorValues, valuesOver } from '../core/tensor.ts';
import { ENGINE_DEFAULTS, type EngineOptions } from './engine.ts';
import { ExitGate } from './exit-gate.ts';
import {
  errorOf,
  type Numbered,
  type PredictorAnswer,
  type PredictorCall,
  type PredictorWorkerData,
} from './predictor-messages.ts';

export interface InferRequest {
  readonly inputs: readonly NamedTensor[];
  /** Names of the outputs wanted, in the order wanted; without it all of them. */
  readonly outputs?: readonly string[];
}

/** The answer of exactly one version, which `position` names. */
export interface InferResult {
  readonly position: Position;
  readonly outputs: readonly NamedTensor[];
}

export type PatchOutcome =
  | { readonly kind: 'served'; readonly buildMs: number }
  /** The old version still answers, and its bytes are as before. */
  | { readonly kind: 'refused'; readonly error: FreshetError };

/**
 * Calls are carried out in the order they are made. The thread keeps the process alive until `close`. Once the thread has died, every call rejects with
 * PREDICTOR_FAILED; the remedy is a new predictor.
 */
export interface Predictor {
  /**
   * Resolves when `position` answers. Loading again replaces the model; when that fails the old one still answers.
   * Takes `file` (a complete ONNX file): it may be detached afterwards.
   * @throws PREDICTOR_FAILED when the model cannot be loaded or cannot answer.
   */
  load(file: Uint8Array, layout: readonly TensorLayout[], position: Position): Promise<ModelSignature>;

  /** Resolves when `next` answers, or when it is clear that it cannot. `delta` is copied. */
  patch(delta: SparseDelta, next: Position): Promise<PatchOutcome>;

  /**
   * Takes the values of the inputs: they may be detached afterwards. Names, datatypes and shapes have to be those of
   * the signature (`parseInferRequest` sees to it).
   * @throws NOT_READY before the first load and when too many inferences wait; INPUT_INVALID when the model cannot
   * compute these inputs.
   */
  infer(request: InferRequest): Promise<InferResult>;

  /** What answers now, or null before the first load. */
  position(): Position | null;

  /** Carries out the calls made so far, then ends the thread. Later calls reject with NOT_READY. */
  close(): Promise<void>;
}

export interface PredictorOptions extends EngineOptions {
  /** Inferences that may wait for the thread; one more is refused, so that load shows at once instead of as delay. */
  readonly pendingInferencesMax: number;
  /** Called once if the thread dies, after all waiting calls were rejected with the same error. */
  readonly onFailure: (error: FreshetError) => void;
}

export const PREDICTOR_DEFAULTS = { ...ENGINE_DEFAULTS, pendingInferencesMax: 256 };

/** Far longer than building a session takes; past it the process exits as badly as it has to. */
const EXIT_WAIT_MS_MAX = 5000;

interface Pending {
  readonly resolve: (answer: PredictorAnswer) => void;
  readonly reject: (error: FreshetError) => void;
}

/**
 * ONNX Runtime 1.30 reports its use to its maker unless told not to; devices say nothing to anyone but their hub. It
 * looks at the environment of the process, which a worker's own copy does not change.
 */
const NO_TELEMETRY = 'ORT_DISABLE_TELEMETRY';

/** Beside this file, both in source and compiled. */
const WORKER_URL = new URL(
  import.meta.url.endsWith('.ts') ? './predictor-worker.ts' : './predictor-worker.js',
  import.meta.url,
);

export class WorkerPredictor implements Predictor {
  readonly #worker: Worker;
  readonly #options: PredictorOptions;
  readonly #pending = new Map<number, Pending>();
  readonly #exitGate = new ExitGate();
  readonly #onProcessExit = () => this.#exitGate.close(EXIT_WAIT_MS_MAX);
  #nextId = 0;
  #pendingInferences = 0;
  #position: Position | null = null;
  #failure: FreshetError | null = null;
  #crash: unknown = undefined;
  #closing: Promise<void> | null = null;

  /** Starts the thread; calls may follow at once. */
  constructor(options: PredictorOptions) {
    this.#options = options;
    const { intraOpThreads } = options;
    process.env[NO_TELEMETRY] ??= '1';
    this.#worker = new Worker(WORKER_URL, {
      name: 'predictor',
      workerData: {
        engineOptions: { intraOpThreads },
        exitGateMemory: this.#exitGate.memory,
      } satisfies PredictorWorkerData,
    });
    process.on('exit', this.#onProcessExit);
    this.#worker.on('message', (answer: Numbered<PredictorAnswer>) => this.#onAnswer(answer));
    this.#worker.on('error', (error) => {
      this.#crash = error;
    });
    this.#worker.on('exit', (exitCode) => this.#onExit(exitCode));
  }

  async load(file: Uint8Array, layout: readonly TensorLayout[], position: Position): Promise<ModelSignature> {
    const buffer = ownedBuffer(file);
    const answer = await this.#call({ kind: 'load', file: new Uint8Array(buffer), layout, position }, [
      buffer,
    ]);
    if (answer.kind === 'failed') throw errorOf(answer.failure);
    assert(answer.kind === 'loaded', 'a load is answered in kind');
    this.#position = position;
    return answer.signature;
  }

  async patch(delta: SparseDelta, next: Position): Promise<PatchOutcome> {
    // Slices, because cloning a view would clone all of the buffer behind it: the frame it came in.
    const indices = delta.indices.slice();
    const valueBits = delta.valueBits.slice();
    const answer = await this.#call({ kind: 'patch', indices, valueBits, next }, [
      indices.buffer,
      valueBits.buffer,
    ]);
    if (answer.kind === 'failed') return { kind: 'refused', error: errorOf(answer.failure) };
    assert(answer.kind === 'patched', 'a patch is answered in kind');
    this.#position = next;
    return { kind: 'served', buildMs: answer.buildMs };
  }

  async infer(request: InferRequest): Promise<InferResult> {
    const { pendingInferencesMax } = this.#options;
    if (this.#pendingInferences >= pendingInferencesMax) {
      throw new FreshetError(
        'NOT_READY',
        `${pendingInferencesMax} inferences are waiting already; try again soon`,
      );
    }
    this.#pendingInferences++;
    try {
      const buffers = new Set<ArrayBuffer>();
      const inputs = request.inputs.map((input) => {
        const buffer = ownedBuffer(input.values);
        buffers.add(buffer);
        return { ...input, values: valuesOver(input.datatype, buffer) };
      });
      const answer = await this.#call({ kind: 'infer', inputs, outputs: request.outputs ?? null }, [
        ...buffers,
      ]);
      if (answer.kind === 'failed') throw errorOf(answer.failure);
      assert(answer.kind === 'inferred', 'an inference is answered in kind');
      return { position: answer.position, outputs: answer.outputs };
    } finally {
      this.#pendingInferences--;
    }
  }

  position(): Position | null {
    return this.#position;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (this.#failure !== null) return;
    const exited = new Promise((resolve) => this.#worker.once('exit', resolve));
    // Where the thread dies first, `onFailure` tells, and there is nothing left to close.
    await Promise.allSettled([this.#send({ kind: 'close' }, [])]);
    await exited;
  }

  #call(content: PredictorCall, transfer: readonly ArrayBuffer[]): Promise<PredictorAnswer> {
    if (this.#closing !== null) throw new FreshetError('NOT_READY', 'the predictor is shutting down');
    return this.#send(content, transfer);
  }

  #send(content: PredictorCall, transfer: readonly ArrayBuffer[]): Promise<PredictorAnswer> {
    if (this.#failure !== null) throw this.#failure;
    const id = this.#nextId++;
    const { promise, resolve, reject } = Promise.withResolvers<PredictorAnswer>();
    this.#pending.set(id, { resolve, reject });
    this.#worker.postMessage({ id, content } satisfies Numbered<PredictorCall>, transfer);
    return promise;
  }

  #onAnswer({ id, content }: Numbered<PredictorAnswer>): void {
    const pending = this.#pending.get(id);
    assert(pending !== undefined, 'the thread answers each call once');
    this.#pending.delete(id);
    pending.resolve(content);
  }

  #onExit(exitCode: number): void {
    process.off('exit', this.#onProcessExit);
    if (this.#closing !== null && this.#pending.size === 0) return;
    const reason = this.#crash instanceof Error ? this.#crash.message : `exit code ${exitCode}`;
    const error = new FreshetError('PREDICTOR_FAILED', `the predictor's thread ended: ${reason}`, {
      cause: this.#crash,
    });
    this.#failure = error;
    this.#position = null;
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
    this.#options.onFailure(error);
  }
}

/** The buffer behind `view` where the view covers it, so that it can change hands without a copy; else a copy. */
function ownedBuffer(view: TensorValues): ArrayBuffer {
  const { buffer, byteOffset, byteLength } = view;
  const whole = buffer instanceof ArrayBuffer && buffer.byteLength === byteLength;
  if (whole && !isMarkedAsUntransferable(buffer)) return buffer;
  return new Uint8Array(new Uint8Array(buffer, byteOffset, byteLength)).buffer;
}
