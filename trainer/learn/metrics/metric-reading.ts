/** What the recipe's metric says of the moment: for status, dashboards and the notes of versions. */
import type { MetricIdentity } from './metric.ts';

/** Over the fresh samples, each predicted before it was trained on: over all so far, and over the last ones. */
export interface MetricReading extends MetricIdentity {
  /** Null before the first sample. */
  readonly cumulative: number | null;
  readonly windowed: number | null;
}

export interface MetricReadings {
  readonly metric: MetricReading;
  /** The metric where it is accuracy, 0 before the first sample; null where the recipe has another one. */
  readonly prequentialAccuracy: number | null;
  readonly windowedAccuracy: number | null;
}

/** `metric`, and under the names that only accuracy has. */
export function readingsOf(metric: MetricReading): MetricReadings {
  const isAccuracy = metric.name === 'accuracy';
  return {
    metric,
    prequentialAccuracy: isAccuracy ? (metric.cumulative ?? 0) : null,
    windowedAccuracy: isAccuracy ? (metric.windowed ?? 0) : null,
  };
}
