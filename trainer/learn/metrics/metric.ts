/** How good a prediction is, as a person wants to read it. */
import type { Targets } from '../targets.ts';

export interface MetricIdentity {
  /** `accuracy`; what status and dashboards show. */
  readonly name: string;
  readonly better: 'higher' | 'lower';
}

export interface Metric extends MetricIdentity {
  /**
   * Of one sample: `output` is the model's for it, `target` its vector, or its class as the only element. Both are views,
   * valid during the call. The result is finite, or the training ends with CONFIG_INVALID.
   */
  measure(output: Float32Array, target: Targets): number;
}
