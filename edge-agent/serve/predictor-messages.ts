/**
 * What the main thread and the predictor's thread say to each other. Each call carries an id and gets exactly one
 * answer with the same id; calls are carried out in the order they were sent. Errors cross as plain fields, because
 * structured cloning strips an error of its class and code.
 */
import { type ErrorCode, FreshetError } from '@freshet/protocol/errors';
import type { Position } from '@freshet/protocol/ids';
import type { TensorLayout } from '@freshet/protocol/onnx-layout';
import type { ModelSignature, NamedTensor } from '../core/tensor.ts';
import type { EngineOptions } from './engine.ts';

/** What the thread is started with. */
export interface PredictorWorkerData {
  readonly engineOptions: EngineOptions;
  readonly exitGateMemory: SharedArrayBuffer;
}

export type PredictorCall =
  /** The worker keeps `file`. */
  | {
      readonly kind: 'load';
      readonly file: Uint8Array;
      readonly layout: readonly TensorLayout[];
      readonly position: Position;
    }
  | {
      readonly kind: 'patch';
      readonly indices: Uint32Array;
      readonly valueBits: Uint32Array;
      readonly next: Position;
    }
  /** Without `outputs`: all of them. */
  | {
      readonly kind: 'infer';
      readonly inputs: readonly NamedTensor[];
      readonly outputs: readonly string[] | null;
    }
  /** The worker answers and ends. */
  | { readonly kind: 'close' };

export type PredictorAnswer =
  | { readonly kind: 'loaded'; readonly signature: ModelSignature }
  | { readonly kind: 'patched'; readonly buildMs: number }
  | { readonly kind: 'inferred'; readonly position: Position; readonly outputs: readonly NamedTensor[] }
  | { readonly kind: 'closed' }
  | { readonly kind: 'failed'; readonly failure: Failure };

export interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
  readonly details: Readonly<Record<string, unknown>>;
}

export interface Numbered<Content> {
  readonly id: number;
  readonly content: Content;
}

export function failureOf({ code, message, details }: FreshetError): Failure {
  return { code, message, details };
}

export function errorOf({ code, message, details }: Failure): FreshetError {
  return new FreshetError(code, message, { details: { ...details } });
}
