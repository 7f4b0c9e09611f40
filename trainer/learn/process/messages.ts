/**
 * What the learner process and the trainer's main process say to each other over Node's IPC channel (structured
 * clone, so typed arrays arrive as such and belong to the receiver). Both ends are this package at the same version:
 * nothing is validated, unlike the wire protocol.
 *
 *   learner                         main
 *     ── model ──────────────────▶    backend chosen, ONNX file of the untrained model
 *     ◀────────────────── begin ──    where the version log stands
 *     ── progress … ─────────────▶
 *     ── initial ────────────────▶    weights of version 1            (only when the log is empty)
 *     ◀────────────── published ──
 *     ── publication ────────────▶    one at a time: the next is sent after `published`
 *     ◀────────────── published ──    also where the log has had the version, and has compared it
 *     ── unusable ───────────────▶    a sample from elsewhere was passed over
 *     ── finished ───────────────▶    the bounded run is over; the process stays until `stop`
 *     ◀─────────────────── stop ──    write a checkpoint and exit
 */

import type { ErrorCode } from '@freshet/protocol/errors';
import type { LineId, Position, Root, WeightsVersion } from '@freshet/protocol/ids';
import type { SampleFormat } from '@freshet/protocol/sample-format';
import type { WarmUp } from '../../core/learning-rate.ts';
import type { PublishPolicySpec } from '../../core/publish-policy/policy-option.ts';
import type { SamplerSpec } from '../../core/samplers/sampler-option.ts';
import type { Selection } from '../../core/sparsifiers/selection.ts';
import type { SparsifierName } from '../../core/sparsifiers/sparsifier.ts';
import type { StrategySpec } from '../../core/strategies/strategy-option.ts';
import type { TriggerSpec } from '../../core/triggers/trigger-option.ts';
import type { SampleLimits } from '../../history/sample-log/sample-capacity.ts';
import type { BackendName } from '../backends/backend.ts';
import type { MetricIdentity } from '../metrics/metric.ts';
import type { MetricReadings } from '../metrics/metric-reading.ts';
import type { OptimiserSpec } from '../optimisers/optimiser-spec.ts';

export interface LearnerConfig {
  /** As `recipeOf` takes it. */
  readonly recipe: string;
  readonly backend: BackendName | 'auto';
  readonly seed: number;
  /** Samples for the initial training, before anything is published. */
  readonly initialCount: number;
  readonly initialEpochs: number;
  /** Batch size b of a step. */
  readonly batchCount: number;
  /** New samples t among them. */
  readonly freshCount: number;
  readonly strategy: StrategySpec;
  /** Null: the one that goes with the strategy. */
  readonly trigger: TriggerSpec | null;
  readonly sampler: SamplerSpec;
  readonly optimiser: OptimiserSpec;
  readonly learningRate: number;
  /** After the initial training. */
  readonly warmUp: WarmUp;
  /** Whether the optimiser begins anew after the initial training. */
  readonly resetOptimiser: boolean;
  readonly sparsifier: SparsifierName;
  readonly selection: Selection;
  /** Share of the weights in one delta. */
  readonly density: number;
  /** How values travel, as `parseValueFormats` reads it. */
  readonly values: string;
  readonly publish: PublishPolicySpec;
  /** Whether what is published is signed. */
  readonly signed: boolean;
  /** Steps on the stream before `finished`; null: no end. */
  readonly stepsMax: number | null;
  /** The sample log, in the state directory, and what it may hold. */
  readonly samplesPath: string;
  readonly sampleLimits: SampleLimits;
  /** Checkpoint file, in the state directory. */
  readonly checkpointPath: string;
  readonly checkpointEveryMs: number;
}

/** What is known about a version when it is published. */
export interface PublicationNote extends MetricReadings {
  readonly step: number;
  /** Samples taken from the stream so far, those of the initial training included. */
  readonly samplesSeen: number;
  readonly loss: number;
}

/** The recipe's metric of the dense trained weights, over all held-out samples. */
export interface TestResult extends MetricIdentity {
  readonly value: number;
}

export interface LearnerProgress extends PublicationNote {
  readonly phase: 'initial' | 'stream';
  /** Steps of this phase done and planned; null: no end. */
  readonly done: number;
  readonly planned: number | null;
  readonly stepsPerSecond: number;
}

/** Where the version log stands when the learner begins. */
export interface ResumePoint {
  readonly head: Position;
  readonly weights: Float32Array;
  readonly step: number;
  readonly samplesSeen: number;
}

export type ToLearner =
  | { readonly type: 'begin'; readonly lineId: LineId; readonly resume: ResumePoint | null }
  /** `isSame`: the log has the version that was sent; false: it had another one of this number before. */
  | { readonly type: 'published'; readonly version: WeightsVersion; readonly isSame: boolean }
  | { readonly type: 'stop' };

export type FromLearner =
  | {
      readonly type: 'model';
      readonly modelId: string;
      readonly backend: string;
      /** One line for each backend that was tried before and cannot run here. */
      readonly backendReasons: readonly string[];
      readonly file: Uint8Array;
      /** What samples from elsewhere have to look like. */
      readonly sampleFormat: SampleFormat;
    }
  | { readonly type: 'progress'; readonly progress: LearnerProgress }
  | {
      readonly type: 'initial';
      readonly weights: Float32Array;
      readonly root: Root;
      readonly note: PublicationNote;
    }
  | {
      readonly type: 'publication';
      readonly base: WeightsVersion;
      readonly next: WeightsVersion;
      readonly root: Root;
      readonly payload: Uint8Array;
      readonly note: PublicationNote;
    }
  /** A sample from elsewhere that the recipe's preprocessing cannot take: it is passed over. */
  | { readonly type: 'unusable'; readonly problem: string }
  /** `test` null: the recipe holds no samples out. */
  | { readonly type: 'finished'; readonly test: TestResult | null }
  | { readonly type: 'failed'; readonly code: ErrorCode; readonly message: string };
