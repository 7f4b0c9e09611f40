/** One batch of samples as the model takes them, in buffers that are used again for each step. */
import type { SampleSet, SampleSource } from './sample-source.ts';

export interface Batch {
  /** count × inputElements floats; valid until the next `fill`. */
  readonly inputs: Float32Array;
  readonly labels: Int32Array;
}

export class BatchBuffer {
  readonly #samples: SampleSet;
  readonly #inputElements: number;
  readonly #inputs: Float32Array;
  readonly #labels: Int32Array;

  /** For at most `countMax` samples of `source.train`. */
  constructor(source: SampleSource, countMax: number) {
    this.#samples = source.train;
    this.#inputElements = source.inputElements;
    this.#inputs = new Float32Array(countMax * source.inputElements);
    this.#labels = new Int32Array(countMax);
  }

  /** The samples at `indices`, in that order. */
  fill(indices: Uint32Array): Batch {
    for (const [i, index] of indices.entries()) {
      this.#samples.copyInput(index, this.#inputs, i * this.#inputElements);
      this.#labels[i] = this.#samples.label(index);
    }
    return {
      inputs: this.#inputs.subarray(0, indices.length * this.#inputElements),
      labels: this.#labels.subarray(0, indices.length),
    };
  }
}
