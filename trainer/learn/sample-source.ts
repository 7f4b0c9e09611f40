/**
 * Where a recipe's samples come from: labelled samples by index, as the floats that the model takes. Decoding and
 * normalisation are the source's affair, so that trainer, history and tests see the same numbers.
 */

export interface SampleSet {
  readonly count: number;
  /** Writes sample `index`, `inputElements` floats, into `target` from `targetOffset` on. */
  copyInput(index: number, target: Float32Array, targetOffset: number): void;
  /** The class of sample `index`, in [0, classCount). */
  label(index: number): number;
}

export interface SampleSource {
  /** Floats of one sample: the product of the recipe's input shape. */
  readonly inputElements: number;
  readonly classCount: number;
  /** Initial training and the stream. */
  readonly train: SampleSet;
  /** Held out: never trained on. */
  readonly test: SampleSet;
}
