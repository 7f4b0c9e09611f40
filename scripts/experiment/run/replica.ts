/**
 * A replica as an experiment has it: weights that change only by what was decoded from encoded messages, as on a device,
 * and a model of its own that predicts with them.
 */
import { assert } from '@freshet/protocol/assert';
import { applyDelta } from '@freshet/protocol/delta';
import { decodeDeltaPayload } from '@freshet/protocol/delta-payload';
import { WeightsDigest } from '@freshet/protocol/digest';
import { asWeightsVersion } from '@freshet/protocol/ids';
import type { ValueFormat } from '@freshet/protocol/payload/value-format';
import { deltaWireBytes } from '@freshet/trainer/core/frame-bytes';
import { createSparsifier } from '@freshet/trainer/core/sparsifiers/create-sparsifier';
import type { Selection } from '@freshet/trainer/core/sparsifiers/selection';
import type { Sparsifier, SparsifierName } from '@freshet/trainer/core/sparsifiers/sparsifier';
import type { Batch } from '@freshet/trainer/learn/batch-buffer';
import { CanonicalModel } from '@freshet/trainer/learn/canonical-model';
import type { SampleSet } from '@freshet/trainer/learn/sample-source';
import { TrainStep } from '@freshet/trainer/learn/train-step';
import type { Trace } from '../measures/trace.ts';
import { digitRecipe } from './digit-recipe.ts';

export interface ReplicaSpec {
  /** As tables name it. */
  readonly name: string;
  readonly sparsifier: SparsifierName;
  readonly density: number;
  readonly values: ValueFormat;
  readonly selection?: Selection;
}

export interface ReplicaCosts {
  readonly updates: number;
  /** On the wire: frame, root and WebSocket header included, unsigned. */
  readonly bytes: number;
  readonly changed: number;
  /** Choosing and encoding. */
  readonly publishMs: number;
}

export class ReplicaRun {
  readonly spec: ReplicaSpec;
  readonly trace: Trace;
  readonly sparsifier: Sparsifier;
  readonly #weights: Float32Array;
  readonly #digest: WeightsDigest;
  readonly #trainStep: TrainStep;
  readonly #canonical: CanonicalModel;
  #version = 1;
  #costs: ReplicaCosts = { updates: 0, bytes: 0, changed: 0, publishMs: 0 };

  /** `initial`: the weights of version 1, copied. `trace`: of the images that it is asked to predict. */
  static async open(
    spec: ReplicaSpec,
    trainer: CanonicalModel,
    initial: Float32Array,
    trace: Trace,
  ): Promise<ReplicaRun> {
    const trainStep = new TrainStep(digitRecipe, { seed: 1 });
    const canonical = await CanonicalModel.of(trainStep, digitRecipe.name);
    await canonical.writeWeights(initial);
    return new ReplicaRun(spec, trainer, initial, trace, trainStep, canonical);
  }

  private constructor(
    spec: ReplicaSpec,
    trainer: CanonicalModel,
    initial: Float32Array,
    trace: Trace,
    trainStep: TrainStep,
    canonical: CanonicalModel,
  ) {
    const { sparsifier: name, density, values, selection } = spec;
    const { model } = trainer;
    const formats = model.tensors.map(() => values);
    const options = {
      name,
      density,
      formats,
      trainable: trainer.trainable(),
      ...(selection && { selection }),
    };
    this.spec = spec;
    this.trace = trace;
    this.sparsifier = createSparsifier(options, initial, model, null);
    this.#weights = initial.slice();
    this.#digest = new WeightsDigest(this.#weights, model.digest);
    this.#trainStep = trainStep;
    this.#canonical = canonical;
  }

  get costs(): ReplicaCosts {
    return this.#costs;
  }

  /** Predicts a batch with the weights it has now. */
  async predict(batch: Batch): Promise<void> {
    const { measures } = await this.#trainStep.test(batch.inputs, batch.targets);
    this.trace.add(measures.map((measure) => measure === 1));
  }

  /** Publishes `trained` and takes in what comes out, as a device does: decoded, applied, and proven by its root. */
  async update(trained: Float32Array, density?: number): Promise<void> {
    const next = asWeightsVersion(this.#version + 1);
    const startMs = performance.now();
    const { payload, changedCount, root } = this.sparsifier.publish(trained, next, density);
    const publishMs = performance.now() - startMs;
    const { updates, bytes, changed, publishMs: publishMsBefore } = this.#costs;
    this.#costs = { updates, bytes, changed, publishMs: publishMsBefore + publishMs };
    if (changedCount === 0) return;
    const { model } = this.#canonical;
    const delta = decodeDeltaPayload(payload, this.#weights, model);
    applyDelta(this.#weights, delta);
    this.#digest.update(delta.indices);
    assert(this.#digest.root(next) === root, 'the replica holds what was published');
    await this.#canonical.writeWeights(this.#weights);
    const wire = deltaWireBytes({ base: next - 1, next, payloadBytes: payload.length, signed: false });
    this.#version = next;
    this.#costs = {
      updates: updates + 1,
      bytes: bytes + wire,
      changed: changed + changedCount,
      publishMs: publishMsBefore + publishMs,
    };
  }

  /** Accuracy on held-out samples. */
  accuracy(samples: SampleSet): Promise<number> {
    return this.#trainStep.evaluate(samples, 0, samples.count);
  }

  dispose(): void {
    this.#trainStep.dispose();
  }
}
