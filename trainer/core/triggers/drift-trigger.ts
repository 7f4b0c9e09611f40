/**
 * Trains when the model's loss on what arrives rises by more than chance explains, and only now and then while it does
 * not. A rise opens an *alert*: as many samples as a quiet training takes are trained on in small portions, as soon as
 * they arrive, because the few that have made the change visible do not suffice to follow it.
 */
import { assert } from '@freshet/protocol/assert';
import {
  createDriftDetector,
  type DriftDetectorName,
  restoreDriftDetector,
} from '../drift/create-detector.ts';
import type { DriftDetector, DriftDetectorState } from '../drift/drift-detector.ts';
import { EMPTY_LOSS_SCALE, LossScale, type LossScaleState } from '../drift/loss-scale.ts';
import type { Trigger } from './trigger.ts';

export interface DriftPortions {
  /** Samples of a training while nothing drifts, and samples until an alert ends. */
  readonly quietCount: number;
  /** Samples of a training during an alert. */
  readonly alertCount: number;
}

export interface DriftTriggerState extends DriftPortions {
  readonly kind: 'drift';
  readonly detector: DriftDetectorState;
  readonly scale: LossScaleState;
  /** Samples until the alert ends; 0: there is none. */
  readonly alertLeft: number;
}

/** Before the first loss. */
export function driftTriggerStart(name: DriftDetectorName, portions: DriftPortions): DriftTriggerState {
  const detector = createDriftDetector(name).state();
  return { kind: 'drift', ...portions, detector, scale: EMPTY_LOSS_SCALE, alertLeft: 0 };
}

export class DriftTrigger implements Trigger {
  readonly observes = true;
  readonly #portions: DriftPortions;
  #detector: DriftDetector;
  #scale: LossScale;
  #alertLeft: number;

  constructor({ quietCount, alertCount, detector, scale, alertLeft }: DriftTriggerState) {
    assert(alertCount >= 1 && alertCount <= quietCount, 'smaller portions in an alert');
    this.#portions = { quietCount, alertCount };
    this.#detector = restoreDriftDetector(detector);
    this.#scale = new LossScale(scale);
    this.#alertLeft = alertLeft;
  }

  due(freshCount: number): number {
    const { quietCount, alertCount } = this.#portions;
    const count = this.#alertLeft > 0 ? alertCount : quietCount;
    return freshCount >= count ? count : 0;
  }

  took(freshCount: number): void {
    this.#alertLeft = Math.max(0, this.#alertLeft - freshCount);
  }

  observe(loss: number): void {
    const value = this.#scale.valueOf(loss);
    if (value === null) return;
    const change = this.#detector.add(value);
    if (change === 'none') return;
    if (change === 'rise') this.#alertLeft = this.#portions.quietCount;
    // Losses are of another size now, to either side: on the old scale they would all be near 0, or near 1.
    this.#scale = new LossScale();
    this.#detector = createDriftDetector(this.#detector.state().kind);
  }

  state(): DriftTriggerState {
    return {
      kind: 'drift',
      ...this.#portions,
      detector: this.#detector.state(),
      scale: this.#scale.state(),
      alertLeft: this.#alertLeft,
    };
  }
}
