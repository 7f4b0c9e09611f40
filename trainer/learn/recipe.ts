/**
 * A recipe: everything that is particular to one model, from its layers to its samples. It is one module that exports
 * `recipe`:
 *
 *     import { defineRecipe, type Recipe } from '@freshet/trainer/recipe';
 *
 *     export const recipe: Recipe = defineRecipe({ name: 'my-model', … });
 *
 * examples/my-recipe.ts is one to start from.
 */

import type { InputType, SampleFormat } from '@freshet/protocol/sample-format';
import type * as tf from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { createRandom } from '../core/random.ts';
import { checkDefinition } from './check-definition.ts';
import { checkModel } from './check-model.ts';
import { checkSource } from './check-source.ts';
import type { Loss } from './losses/loss.ts';
import { type ClassLossName, namedLoss, type VectorLossName } from './losses/loss-registry.ts';
import type { Metric } from './metrics/metric.ts';
import {
  type ClassMetricName,
  metricForLoss,
  namedMetric,
  type VectorMetricName,
} from './metrics/metric-registry.ts';
import type { Preprocess } from './preprocess.ts';
import { runField } from './recipe-error.ts';
import type { ClassSample, SampleSource, SourceDefinition, VectorSample } from './sample-source.ts';
import { type Tfjs, tfjs } from './tfjs.ts';

/** What `buildModel` works with. */
export interface BuildTools {
  /** tfjs, core and layers. A model of another copy of tfjs cannot be trained here. */
  readonly tf: Tfjs;
  readonly seed: number;
  /**
   * A new seed that depends on `seed` only, for one initialiser: layers of one seed and shape would begin with the
   * same weights, and without a seed a run cannot be repeated.
   */
  drawSeed(): number;
}

/** A loss of your own: what `Loss` says, computed with the `tf` that it is given. */
export type LossFunction = (targets: tf.Tensor, outputs: tf.Tensor2D, tf: Tfjs) => tf.Scalar;

interface CommonDefinition {
  /** The model's id, which agents serve it under. Letters, digits, dots, dashes and underscores. */
  readonly name: string;
  readonly input: {
    /** Of one input without the batch axis, channels last. */
    readonly shape: readonly number[];
    /** What samples are sent and stored as. */
    readonly dtype: InputType;
  };
  /** By default the stored numbers as they are. */
  readonly preprocess?: Preprocess;
  /**
   * A fresh model that maps [batch, ...input.shape] to [batch, classCount or elementCount]; logits, where the loss is a
   * cross-entropy. Layers with weights are named: weights are stored and published under `layer/weight`. Regularisers
   * count as part of the loss.
   */
  buildModel(tools: BuildTools): LayersModel;
}

export interface ClassRecipeDefinition extends CommonDefinition {
  readonly target: { readonly kind: 'class'; readonly classCount: number };
  readonly loss: ClassLossName | LossFunction;
  /** `accuracy` by default. */
  readonly metric?: ClassMetricName | Metric;
  /** The recipe's own samples; without it all samples come from elsewhere. May read files. */
  openSource?(): SourceDefinition<ClassSample>;
}

interface VectorDefinition extends CommonDefinition {
  readonly target: { readonly kind: 'vector'; readonly elementCount: number };
  /** The recipe's own samples; without it all samples come from elsewhere. May read files. */
  openSource?(): SourceDefinition<VectorSample>;
}

/** `metric` by default: `hamming` for sigmoid cross-entropy, else `mean-absolute-error`. */
export type VectorRecipeDefinition = VectorDefinition &
  (
    | {
        readonly loss: VectorLossName;
        readonly metric?: VectorMetricName | Metric;
      }
    | {
        readonly loss: LossFunction;
        readonly metric: VectorMetricName | Metric;
      }
  );

export type RecipeDefinition = ClassRecipeDefinition | VectorRecipeDefinition;

/** A recipe as the trainer uses it: checked, with names replaced by what they stand for. */
export interface Recipe {
  readonly name: string;
  readonly format: SampleFormat;
  readonly loss: Loss;
  readonly metric: Metric;
  /** Null: the stored numbers are the model's. */
  readonly preprocess: Preprocess | null;
  /**
   * A fresh model whose random weights depend on nothing but `seed`, on the tfjs backend in use. The caller disposes it.
   * @throws CONFIG_INVALID when it does not fit `format`
   */
  buildModel(seed: number): LayersModel;
  /** @throws CONFIG_INVALID, SAMPLES_INVALID when its first samples are not of `format` */
  openSource(): SampleSource;
}

/** Made by `defineRecipe`, and therefore checked. */
const made = new WeakSet<object>();

/** @throws CONFIG_INVALID naming the field and what to write there */
export function defineRecipe(definition: RecipeDefinition): Recipe {
  const { name, input, target, preprocess = null } = checkDefinition(definition);
  const format: SampleFormat = {
    inputShape: [...input.shape],
    inputType: input.dtype,
    target: { ...target },
  };
  const recipe: Recipe = {
    name,
    format,
    loss: lossOf(definition, format),
    metric: metricOf(definition, format),
    preprocess,
    buildModel(seed) {
      const random = createRandom(seed);
      // tfjs takes a seed of 0 for none.
      const drawSeed = () => 1 + random.integerBelow(2 ** 31 - 1);
      const model = runField('buildModel', () => definition.buildModel({ tf: tfjs, seed, drawSeed }));
      checkModel(model, format, definition.loss);
      return model;
    },
    openSource: () =>
      checkSource(
        runField('openSource', () => definition.openSource?.() ?? {}),
        recipe,
      ),
  };
  made.add(recipe);
  return recipe;
}

/** Whether `value` was made by `defineRecipe`. */
export function isRecipe(value: unknown): value is Recipe {
  return typeof value === 'object' && value !== null && made.has(value);
}

function lossOf(definition: RecipeDefinition, { target }: SampleFormat): Loss {
  const { loss } = definition;
  if (typeof loss === 'string') return namedLoss(loss, target);
  return (targets, outputs) => loss(targets, outputs, tfjs);
}

function metricOf(definition: RecipeDefinition, { target }: SampleFormat): Metric {
  const { loss, metric } = definition;
  if (metric === undefined) return metricForLoss(typeof loss === 'string' ? loss : null, target);
  return typeof metric === 'string' ? namedMetric(metric, target) : metric;
}
