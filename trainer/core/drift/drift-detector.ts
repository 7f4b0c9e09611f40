/**
 * What watches a stream of numbers for a change of their mean. Determined by its state and by what is added: no clock, no
 * random source.
 */
import type { AdwinState } from './adwin.ts';
import type { PageHinkleyState } from './page-hinkley.ts';

/** `rise`: what came last is larger than what came before, by more than chance explains. */
export type DriftChange = 'none' | 'rise' | 'fall';

/** A plain value: it survives a structured clone, and JSON. */
export type DriftDetectorState = AdwinState | PageHinkleyState;

export interface DriftDetector {
  /** Takes in `value`, in [0, 1]. Whether a change is detected now; the values from before it are then forgotten. */
  add(value: number): DriftChange;

  /** All there is to it; `restoreDriftDetector` goes on from there as this one would have. A new value. */
  state(): DriftDetectorState;
}
