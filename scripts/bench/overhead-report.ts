/** What `npm run bench -- overhead --json` prints. */
import type { BackendName } from '@freshet/trainer/learn/backends/backend';
import type { Machine } from './machine.ts';

export const OVERHEAD_MODELS = ['lenet5', 'mlp-10m'] as const;
export type OverheadModel = (typeof OVERHEAD_MODELS)[number];

export interface OverheadReport {
  readonly bench: 'overhead';
  readonly seed: number;
  readonly machine: Machine;
  /** Backends that do not run here, and why. */
  readonly absent: readonly { readonly backend: BackendName; readonly reason: string }[];
  readonly cases: readonly OverheadCase[];
  /** What overheadFactor is meant to be at most. */
  readonly factorMax: number;
}

/** Times are medians, in milliseconds. */
export interface OverheadCase {
  readonly backend: BackendName;
  readonly model: OverheadModel;
  readonly elementCount: number;
  readonly batchCount: number;
  /** Share of the weights that a publish may change. */
  readonly density: number;
  /** How all values travel, as `--values` of the trainer has it. */
  readonly values: string;
  /** How often each of the following was measured. */
  readonly rounds: number;
  /** A training step after which nothing is published. */
  readonly stepMs: number;
  /** Reading the weights out of tfjs; part of sparsifyMs. */
  readonly readMs: number;
  /** Reading the weights, choosing the changes, rounding their values. */
  readonly sparsifyMs: number;
  /** The delta payload. */
  readonly encodeMs: number;
  /** The root of the weights after it: proof for receivers, in no factor. */
  readonly digestMs: number;
  readonly changedCount: number;
  readonly payloadBytes: number;
  /** A step with a publish after it, without digestMs, over stepMs: both measured in turn. */
  readonly overheadFactor: number;
  /** The same with digestMs. */
  readonly overheadFactorWithDigest: number;
}
