/**
 * Where a recipe's own samples come from: labelled samples by index, as they are stored, before preprocessing. A
 * sample is a function of its index, so that a training taken up again sees what it would have seen; what arrives
 * only once, from a sensor say, is sent to POST /api/v1/samples instead.
 */

/** A sample of a class. `input`: the elements in row-major order; a view is welcome, it is copied at once. */
export interface ClassSample {
  readonly input: ArrayLike<number>;
  readonly label: number;
}

/** A sample of a vector. */
export interface VectorSample {
  readonly input: ArrayLike<number>;
  readonly target: ArrayLike<number>;
}

export interface SampleSet<Sample extends ClassSample | VectorSample = ClassSample | VectorSample> {
  /** At most 2^32. */
  readonly count: number;
  /** Sample `index` in [0, count), the same whenever it is asked for. */
  sample(index: number): Sample;
}

/** What a recipe says of its samples; each part may be missing. */
export interface SourceDefinition<Sample extends ClassSample | VectorSample = ClassSample | VectorSample> {
  /** For the initial training, and after it the stream, in the order of arrival. */
  readonly train?: SampleSet<Sample> | null;
  /**
   * So many of `train`, at most, are for the initial training, and the rest for the stream. By default all that
   * `--initial` asks for. 0: the first version is untrained.
   */
  readonly initialCount?: number;
  /** Whether the first sample arrives again after the last, in a demonstration that should not end. By default not. */
  readonly repeats?: boolean;
  /** Held out: never trained on. */
  readonly test?: SampleSet<Sample> | null;
}

export interface SampleSource<Sample extends ClassSample | VectorSample = ClassSample | VectorSample> {
  readonly train: SampleSet<Sample> | null;
  readonly initialCount: number;
  readonly repeats: boolean;
  readonly test: SampleSet<Sample> | null;
}
