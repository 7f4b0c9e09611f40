/** The metrics that a recipe can name, and the one that goes with a loss where it names none. */
import type { TargetFormat } from '@freshet/protocol/sample-format';
import { invalidField } from '../recipe-error.ts';
import { accuracy } from './accuracy.ts';
import { meanAbsoluteError } from './mean-absolute-error.ts';
import type { Metric } from './metric.ts';
import { exactMatch, hamming } from './multi-label.ts';

export type ClassMetricName = 'accuracy';
export type VectorMetricName = 'exact-match' | 'hamming' | 'mean-absolute-error';

const CLASS_METRICS: readonly Metric[] = [accuracy];
const VECTOR_METRICS: readonly Metric[] = [exactMatch, hamming, meanAbsoluteError];

/** @throws CONFIG_INVALID when there is no such metric for this kind of target */
export function namedMetric(name: string, { kind }: TargetFormat): Metric {
  const metrics = kind === 'class' ? CLASS_METRICS : VECTOR_METRICS;
  const metric = metrics.find((each) => each.name === name);
  if (metric !== undefined) return metric;
  const known = metrics.map((each) => each.name).join(', ');
  throw invalidField(
    'metric',
    `is "${name}"; with a target of kind "${kind}" it has to be ${metrics.length === 1 ? '' : 'one of '}${known}, or { name, better, measure }`,
  );
}

/**
 * The metric for a recipe that names none; `loss` is null where it is a function.
 * @throws CONFIG_INVALID when nobody can tell: what a loss function takes outputs for is its own affair
 */
export function metricForLoss(loss: string | null, { kind }: TargetFormat): Metric {
  if (kind === 'class') return accuracy;
  if (loss === 'sigmoid-cross-entropy') return hamming;
  if (loss !== null) return meanAbsoluteError;
  throw invalidField(
    'metric',
    'is missing; it has to be given where loss is a function and the target a vector',
  );
}
