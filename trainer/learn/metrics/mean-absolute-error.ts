/** The mean over the elements of |output − target|, in the target's unit. */
import type { Metric } from './metric.ts';

export const meanAbsoluteError: Metric = {
  name: 'mean-absolute-error',
  better: 'lower',
  measure(output, target) {
    let sum = 0;
    for (let i = 0; i < output.length; i++) sum += Math.abs(output[i]! - target[i]!);
    return sum / output.length;
  },
};
