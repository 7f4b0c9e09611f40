import { assert } from '@freshet/protocol/assert';
import type { PublishMoment, PublishPolicy } from './publish-policy.ts';

export interface StepsPolicyState {
  readonly kind: 'steps';
  readonly everySteps: number;
}

/** Publishes the same share after every `everySteps` steps. It depends on the number of the step alone. */
export class StepsPolicy implements PublishPolicy {
  readonly #everySteps: number;
  readonly #density: number;

  constructor({ everySteps }: StepsPolicyState, density: number) {
    assert(everySteps >= 1, 'at least one step between two versions');
    assert(density > 0 && density <= 1, 'density in (0, 1]');
    this.#everySteps = everySteps;
    this.#density = density;
  }

  due({ step }: PublishMoment): number | null {
    return step > 0 && step % this.#everySteps === 0 ? this.#density : null;
  }

  published(): void {
    // The next one is due by its number, whatever became of this one.
  }

  state(): StepsPolicyState {
    return { kind: 'steps', everySteps: this.#everySteps };
  }
}
