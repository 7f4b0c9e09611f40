import { assert } from '@freshet/protocol/assert';
import type { Trigger } from './trigger.ts';

export interface SamplesTriggerState {
  readonly kind: 'samples';
  readonly count: number;
}

/** Trains on every `count` samples: the trigger of Prapas et al. (2021), their t. It forgets nothing, as it knows nothing. */
export class SamplesTrigger implements Trigger {
  readonly observes = false;
  readonly #count: number;

  constructor({ count }: SamplesTriggerState) {
    assert(count >= 1, 'a training of at least one sample');
    this.#count = count;
  }

  due(freshCount: number): number {
    return freshCount >= this.#count ? this.#count : 0;
  }

  took(): void {
    // When the next training is due depends on nothing but what waits then.
  }

  observe(): void {
    // Likewise.
  }

  state(): SamplesTriggerState {
    return { kind: 'samples', count: this.#count };
  }
}
