/** One batch of samples as the model takes them, in buffers that are used again for each step. */
import { SampleReader, type SampleTaker } from './sample-reader.ts';
import type { SampleSet } from './sample-source.ts';
import { makeTargets, type Targets } from './targets.ts';

export interface Batch {
  /** The model's inputs, one after the other; valid until the next `fill`. */
  readonly inputs: Float32Array;
  readonly targets: Targets;
}

export class BatchBuffer {
  readonly #reader: SampleReader;
  readonly #inputs: Float32Array;
  readonly #targets: Targets;

  /** For at most `countMax` samples of `samples`. */
  constructor(taker: SampleTaker, samples: SampleSet, countMax: number) {
    this.#reader = new SampleReader(taker, samples);
    this.#inputs = new Float32Array(countMax * this.#reader.input.length);
    this.#targets = makeTargets(taker.format.target, countMax);
  }

  /** The samples at `indices`, in that order. @throws SAMPLES_INVALID */
  fill(indices: Uint32Array): Batch {
    const { input, target } = this.#reader;
    for (const [i, index] of indices.entries()) {
      this.#reader.read(index);
      this.#inputs.set(input, i * input.length);
      this.#targets.set(target, i * target.length);
    }
    return {
      inputs: this.#inputs.subarray(0, indices.length * input.length),
      targets: this.#targets.subarray(0, indices.length * target.length),
    };
  }
}
