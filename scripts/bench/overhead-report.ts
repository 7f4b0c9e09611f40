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
  /** Steps for one publish. */
  readonly publishEvery: number;
  /** How often each of the following was measured. */
  readonly rounds: number;
  /** A training step with no publish before or after it. */
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
  /** (steps + sparsifyMs + encodeMs) / steps, of the steps that one publish is for. */
  readonly overheadFactor: number;
  /** The same with digestMs. */
  readonly overheadFactorWithDigest: number;
  /**
   * A publish, root included, with the steps after it, over as many steps without: by the clock, so that what a publish
   * does to the steps after it counts. The difference of two large numbers: good to the percent that steps vary by.
   */
  readonly clockFactor: number;
}
