/**
 * A course of training on the stream: its parts, from the options of a run and, where there is one, from a checkpoint.
 * What the options say otherwise than the checkpoint begins anew; the rest goes on.
 */
import { isDeepStrictEqual } from 'node:util';
import type { ValueFormat } from '@freshet/protocol/payload/value-format';
import { deltaWireBytes } from '../../core/frame-bytes.ts';
import {
  createPublishPolicy,
  type PublishPolicyOptions,
  publishPolicySpecOf,
  restorePublishPolicy,
} from '../../core/publish-policy/create-policy.ts';
import type { PublishPolicy } from '../../core/publish-policy/publish-policy.ts';
import { createRandom } from '../../core/random.ts';
import { createSampler, restoreSampler, samplerSpecOf } from '../../core/samplers/create-sampler.ts';
import type { HistorySampler } from '../../core/samplers/history-sampler.ts';
import type { SamplerSpec } from '../../core/samplers/sampler-option.ts';
import { createSparsifier } from '../../core/sparsifiers/create-sparsifier.ts';
import { createStrategy, defaultTrigger } from '../../core/strategies/create-strategy.ts';
import { createTrigger, restoreTrigger, triggerSpecOf } from '../../core/triggers/create-trigger.ts';
import type { Trigger } from '../../core/triggers/trigger.ts';
import type { TriggerSpec } from '../../core/triggers/trigger-option.ts';
import { capacityOf } from '../../history/sample-log/sample-capacity.ts';
import type { CanonicalModel } from '../canonical-model.ts';
import type { Checkpoint } from '../checkpoint.ts';
import type { SampleStock } from '../stream/sample-stock.ts';
import { type StreamState, StreamTraining } from '../stream/stream-training.ts';
import type { TrainStep } from '../train-step.ts';
import type { LearnerConfig } from './messages.ts';

export interface CourseContext {
  readonly config: LearnerConfig;
  readonly trainStep: TrainStep;
  readonly canonical: CanonicalModel;
  readonly stock: SampleStock;
  /** How the values of each tensor travel. */
  readonly formats: readonly ValueFormat[];
}

export interface Course {
  readonly stream: StreamTraining;
  readonly sampler: HistorySampler;
  readonly trigger: Trigger;
  readonly policy: PublishPolicy;
  readonly sparsifier: ReturnType<typeof createSparsifier>;
}

/** From where a course starts. */
export interface CourseStart {
  readonly state: StreamState;
  /** The weights that replicas hold; copied. */
  readonly shadow: Float32Array;
  /** Parts that go on; null: all begin anew. */
  readonly checkpoint: Checkpoint | null;
  readonly nowMs: number;
}

export function startCourse(context: CourseContext, start: CourseStart): Course {
  const { config, trainStep, canonical, stock, formats } = context;
  const { state, shadow, checkpoint, nowMs } = start;
  const { batchCount, freshCount, density } = config;
  const strategy = createStrategy(config.strategy, { batchCount, freshCount });
  const trigger = triggerOf(context, checkpoint, nowMs);
  const sampler = samplerOf(context, state.position, checkpoint);
  const sparsifier = createSparsifier(
    {
      name: config.sparsifier,
      density,
      formats,
      selection: config.selection,
      trainable: canonical.trainable(),
    },
    shadow,
    canonical.model,
    checkpoint?.sparsifier ?? null,
  );
  const stream = new StreamTraining(
    {
      trainStep,
      stock,
      strategy,
      trigger,
      sampler,
      schedule: { fullRate: config.learningRate, warmUp: config.warmUp },
      groupCount: freshCount,
      // A period takes what there is when it ends: a source that never ends must not fill it.
      waitingMax: trigger.state().kind === 'time' ? batchCount : Number.POSITIVE_INFINITY,
    },
    state,
  );
  const { gradientFilter } = sparsifier;
  trainStep.setGradientTransform(
    gradientFilter === null ? null : canonical.filtering(gradientFilter, stream.random),
  );
  return { stream, sampler, trigger, sparsifier, policy: policyOf(context, checkpoint, nowMs) };
}

function triggerOf({ config }: CourseContext, checkpoint: Checkpoint | null, nowMs: number): Trigger {
  const spec = triggerSpecIn(config);
  const isSame = checkpoint !== null && isDeepStrictEqual(triggerSpecOf(checkpoint.trigger), spec);
  return isSame ? restoreTrigger(checkpoint.trigger) : createTrigger(spec, nowMs);
}

/** What is asked for, or what goes with the strategy. */
export function triggerSpecIn(config: LearnerConfig): TriggerSpec {
  return config.trigger ?? defaultTrigger(config.strategy, config);
}

function policyOf(
  { config, canonical }: CourseContext,
  checkpoint: Checkpoint | null,
  nowMs: number,
): PublishPolicy {
  const { density, signed, publish } = config;
  // Version numbers of two bytes are what a line has for most of its life.
  const fixedBytes = deltaWireBytes({ base: 1000, next: 1001, payloadBytes: 0, signed });
  const options: PublishPolicyOptions = {
    density,
    weightCount: canonical.model.elementCount,
    fixedBytes,
  };
  const isSame = checkpoint !== null && isDeepStrictEqual(publishPolicySpecOf(checkpoint.policy), publish);
  return isSame
    ? restorePublishPolicy(checkpoint.policy, options)
    : createPublishPolicy(publish, options, nowMs);
}

/** The sampler of the checkpoint, or one that is told of all samples that are kept. */
function samplerOf(context: CourseContext, position: number, checkpoint: Checkpoint | null): HistorySampler {
  const { config, trainStep, stock } = context;
  const spec = withinLimit(
    config.sampler,
    capacityOf(trainStep.recipe.format, config.sampleLimits).historyMax,
  );
  if (checkpoint !== null && isDeepStrictEqual(samplerSpecOf(checkpoint.sampler), spec)) {
    return restoreSampler(checkpoint.sampler);
  }
  const sampler = createSampler(spec);
  // A source of its own, so that it does not matter for the stream how often this has been done.
  const random = createRandom(config.seed);
  const arrivals = stock.history(position);
  const labels = sampler.usesLabels ? stock.labels(arrivals) : null;
  for (const [i, arrival] of arrivals.entries()) sampler.add(arrival, labels?.[i] ?? null, random);
  return sampler;
}

/** A sampler cannot draw from what the log has no room for. */
function withinLimit(spec: SamplerSpec, historyMax: number): SamplerSpec {
  switch (spec.kind) {
    case 'uniform':
    case 'time-decayed':
      return { ...spec, limit: Math.min(spec.limit ?? historyMax, historyMax) };
    default:
      return { ...spec, count: Math.min(spec.count, historyMax) };
  }
}
