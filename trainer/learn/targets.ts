/** What the samples of a batch teach, one after the other. */
import type { TargetFormat } from '@freshet/protocol/sample-format';

/** Class numbers, or the elements of vectors. */
export type Targets = Int32Array | Float32Array;

/** Elements of one sample's target in `Targets`. */
export function targetElementCount(target: TargetFormat): number {
  return target.kind === 'class' ? 1 : target.elementCount;
}

/** Elements that the model gives for one sample: a logit for each class, or the vector. */
export function outputElementCount(target: TargetFormat): number {
  return target.kind === 'class' ? target.classCount : target.elementCount;
}

/** Zeros for `count` samples. */
export function makeTargets(target: TargetFormat, count: number): Targets {
  const length = count * targetElementCount(target);
  return target.kind === 'class' ? new Int32Array(length) : new Float32Array(length);
}
