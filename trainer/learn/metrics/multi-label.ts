/**
 * Metrics of several labels that each hold or not. A label is predicted where its logit is positive, which is a
 * probability above one half, and it holds where its target is at least one half.
 */
import type { Targets } from '../targets.ts';
import type { Metric } from './metric.ts';

/** 1 where every label is right: the exact match ratio, or subset accuracy. */
export const exactMatch: Metric = {
  name: 'exact-match',
  better: 'higher',
  measure: (output, target) => (countRight(output, target) === output.length ? 1 : 0),
};

/** The share of labels that are right: 1 − Hamming loss. */
export const hamming: Metric = {
  name: 'hamming',
  better: 'higher',
  measure: (output, target) => countRight(output, target) / output.length,
};

function countRight(output: Float32Array, target: Targets): number {
  let right = 0;
  for (let i = 0; i < output.length; i++) if (output[i]! > 0 === target[i]! >= 0.5) right++;
  return right;
}
