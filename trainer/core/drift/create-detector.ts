/** The drift detectors by their names. */
import { unreachable } from '@freshet/protocol/assert';
import { Adwin } from './adwin.ts';
import type { DriftDetector, DriftDetectorState } from './drift-detector.ts';
import { PageHinkley } from './page-hinkley.ts';

export const DRIFT_DETECTOR_NAMES = ['adwin', 'page-hinkley'] as const;
export type DriftDetectorName = (typeof DRIFT_DETECTOR_NAMES)[number];

/** The default of MOA and River. */
const ADWIN_DELTA = 0.002;
/**
 * MOA and River take 0.005 and 50, for errors of 0 and 1. Values of a `LossScale` vary less, σ² ≈ 0.05, and are means of
 * several samples: here a false alarm is rarer than with those (the exponent is 20 instead of 10), and a rise of the loss
 * by one deviation, Δ ≈ 0.25, is seen after 50 values instead of 200.
 */
const PAGE_HINKLEY_DELTA = 0.05;
const PAGE_HINKLEY_THRESHOLD = 10;

/** A detector that has seen nothing. */
export function createDriftDetector(name: DriftDetectorName): DriftDetector {
  switch (name) {
    case 'adwin':
      return new Adwin({ kind: name, delta: ADWIN_DELTA, rows: [] });
    case 'page-hinkley':
      return new PageHinkley({
        kind: name,
        delta: PAGE_HINKLEY_DELTA,
        threshold: PAGE_HINKLEY_THRESHOLD,
        count: 0,
        mean: 0,
        risen: 0,
        fallen: 0,
      });
    default:
      return unreachable(name);
  }
}

/** Goes on from what `state()` gave; `state` is not kept. */
export function restoreDriftDetector(state: DriftDetectorState): DriftDetector {
  switch (state.kind) {
    case 'adwin':
      return new Adwin(state);
    case 'page-hinkley':
      return new PageHinkley(state);
    default:
      return unreachable(state);
  }
}
