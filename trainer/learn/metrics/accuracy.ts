/** 1 where the class with the largest output is the sample's, 0 elsewhere. Of equal outputs the first counts. */
import type { Metric } from './metric.ts';

export const accuracy: Metric = {
  name: 'accuracy',
  better: 'higher',
  measure: (output, target) => (indexOfLargest(output) === target[0] ? 1 : 0),
};

function indexOfLargest(values: Float32Array): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i;
  return best;
}
