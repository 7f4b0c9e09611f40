/** Reads samples one by one as the model takes them, and lets none pass that is not what the recipe announces. */
import { FreshetError } from '@freshet/protocol/errors';
import { checkSample, inputElementCount, type SampleFormat } from '@freshet/protocol/sample-format';
import { makeStoredInput, type Preprocess, preprocessInto, type StoredInput } from './preprocess.ts';
import { stackOf } from './recipe-error.ts';
import type { ClassSample, SampleSet, VectorSample } from './sample-source.ts';
import { makeTargets, type Targets } from './targets.ts';

/** What there is to know about samples: a recipe, or a part of it. */
export interface SampleTaker {
  readonly format: SampleFormat;
  readonly preprocess: Preprocess | null;
}

export class SampleReader {
  readonly #taker: SampleTaker;
  readonly #samples: SampleSet;
  readonly #stored: StoredInput;
  /** The model's input of the sample read last. */
  readonly input: Float32Array;
  /** Its target: a class, or a vector. */
  readonly target: Targets;

  constructor(taker: SampleTaker, samples: SampleSet) {
    this.#taker = taker;
    this.#samples = samples;
    const elementCount = inputElementCount(taker.format);
    this.#stored = makeStoredInput(taker.format.inputType, elementCount);
    this.input = new Float32Array(elementCount);
    this.target = makeTargets(taker.format.target, 1);
  }

  /**
   * Puts sample `index` of the set into `input` and `target`.
   * @throws SAMPLES_INVALID naming the sample, the field and the reason
   */
  read(index: number): void {
    const sample = this.#sample(index);
    const problem = checkSample(this.#taker.format, sample);
    if (problem !== null) throw invalidSample(index, `its "${problem.field}" ${problem.reason}`);
    this.#stored.set(sample.input);
    const failure = preprocessInto(this.#taker, this.#stored, this.input);
    if (failure !== null) throw invalidSample(index, failure);
    if ('label' in sample) this.target[0] = sample.label;
    else this.target.set(sample.target);
  }

  #sample(index: number): ClassSample | VectorSample {
    let sample: ClassSample | VectorSample;
    try {
      sample = this.#samples.sample(index);
    } catch (error) {
      if (error instanceof FreshetError) throw error;
      throw invalidSample(index, `sample(${index}) threw:\n${stackOf(error)}`, error);
    }
    if (sample instanceof Promise) {
      const reason =
        'sample(index) returned a promise; it has to return the sample: what takes time can be awaited at ';
      throw invalidSample(index, `${reason}the top level of the recipe module`);
    }
    if (typeof sample === 'object' && sample !== null) return sample;
    throw invalidSample(index, 'it has to be { input, label } or { input, target }');
  }
}

function invalidSample(index: number, reason: string, cause?: unknown): FreshetError {
  return new FreshetError('SAMPLES_INVALID', `sample ${index} of the recipe cannot be used: ${reason}`, {
    cause,
    details: { index },
  });
}
