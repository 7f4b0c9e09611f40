/**
 * A model in training seen from outside tfjs: its ONNX file, and its weights as one flat vector in canonical order.
 */
import { assert } from '@freshet/protocol/assert';
import { type Model, splitModel } from '@freshet/protocol/model';
import * as tf from '@tensorflow/tfjs-core';
import type { Random } from '../core/random.ts';
import type { GradientFilter } from '../core/sparsifiers/sparsifier.ts';
import {
  bindingElementCount,
  gatherCanonical,
  scatterCanonical,
  type WeightBinding,
} from '../onnx/canonical-weights.ts';
import { exportOnnx } from '../onnx/export-model.ts';
import { peekWeights } from './model-weights.ts';
import type { GradientTransform, TrainStep } from './train-step.ts';

export class CanonicalModel {
  readonly model: Model;
  /** The ONNX file with the weights of the moment of `of`. */
  readonly file: Uint8Array;
  readonly #trainStep: TrainStep;
  readonly #bindings: readonly WeightBinding[];

  /** @throws LAYER_UNSUPPORTED when the model cannot be exported */
  static async of(trainStep: TrainStep, modelId: string): Promise<CanonicalModel> {
    const { file, bindings } = await exportOnnx(trainStep.model, { modelId });
    return new CanonicalModel(trainStep, splitModel(modelId, file).model, file, bindings);
  }

  private constructor(
    trainStep: TrainStep,
    model: Model,
    file: Uint8Array,
    bindings: readonly WeightBinding[],
  ) {
    this.#trainStep = trainStep;
    this.model = model;
    this.file = file;
    this.#bindings = bindings;
  }

  /**
   * The present weights in canonical order: written to `target`, which is returned; a new array where there is none. A
   * large one costs as much to allocate as to fill, so who reads often brings one.
   */
  async readWeights(target: Float32Array = new Float32Array(this.model.elementCount)): Promise<Float32Array> {
    const weights = await peekWeights(this.#trainStep.model);
    const named = new Map(weights.map(({ name, values }) => [name, values]));
    const valuesOf = (name: string): Float32Array => {
      const values = named.get(name);
      assert(values !== undefined, `the model has weights named ${name}`);
      return values;
    };
    gatherCanonical(this.#bindings, valuesOf, target);
    return target;
  }

  /** Sets all weights; `weights` is copied. */
  async writeWeights(weights: Float32Array): Promise<void> {
    const elementCounts = new Map(
      this.#bindings.map((each) => [each.tfjsWeightName, bindingElementCount(each)]),
    );
    const named = (await this.#trainStep.readWeights()).map(({ name, shape }) => {
      const elementCount = elementCounts.get(name);
      assert(elementCount !== undefined, `${name} has a place in the ONNX file`);
      return { name, shape, values: new Float32Array(elementCount) };
    });
    const byName = new Map(named.map((each) => [each.name, each.values]));
    scatterCanonical(this.#bindings, weights, (name) => byName.get(name)!);
    this.#trainStep.writeWeights(named);
  }

  /** For each tensor, in canonical order, whether it has a gradient. */
  trainable(): readonly boolean[] {
    const names = this.#trainStep.trainableNames;
    return this.#bindings.map(({ tfjsWeightName }) => names.has(tfjsWeightName));
  }

  /** `filter` as a transform of the gradients of a training step. It draws from `random`. */
  filtering(filter: GradientFilter, random: Random): GradientTransform {
    return async (gradients) => {
      const flat = new Float32Array(this.model.elementCount);
      const values = new Map<string, Float32Array>();
      for (const binding of this.#bindings) {
        const name = binding.tfjsWeightName;
        // A copy, which is filled again below: the cpu backend hands out its own memory.
        const read = await gradients.get(name)?.data<'float32'>();
        values.set(name, read?.slice() ?? new Float32Array(bindingElementCount(binding)));
      }
      const valuesOf = (name: string): Float32Array => values.get(name)!;
      gatherCanonical(this.#bindings, valuesOf, flat);
      filter.filter(flat, random);
      scatterCanonical(this.#bindings, flat, valuesOf);
      const filtered = [...gradients].map(
        ([name, { shape }]) => [name, tf.tensor(valuesOf(name), shape)] as const,
      );
      return new Map(filtered);
    };
  }
}
