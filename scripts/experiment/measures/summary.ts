/** A number over several seeds. */
import { assert } from '@freshet/protocol/assert';

export interface Summary {
  readonly mean: number;
  /** Sample standard deviation; null for a single seed. */
  readonly deviation: number | null;
  readonly values: readonly number[];
}

export function summarise(values: readonly number[]): Summary {
  assert(values.length > 0, 'a value for one seed at least');
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, deviation: values.length > 1 ? Math.sqrt(squares / (values.length - 1)) : null, values };
}

/** `0.9412 ± 0.0011`, or in percent with `scale` 100. */
export function formatSummary({ mean, deviation }: Summary, digits = 4, scale = 1): string {
  const number = (value: number): string => (scale * value).toFixed(digits);
  return deviation === null ? number(mean) : `${number(mean)} ± ${number(deviation)}`;
}
