/** Where the hub's agents' samples go. */
import type { IncomingSample, SampleFormat } from '@freshet/protocol/sample-format';

export type IntakeOutcome =
  /** `duplicates` had been taken before. */
  | { readonly kind: 'taken'; readonly taken: number; readonly duplicates: number }
  /** There is no room: nothing was taken, and the same may be offered again later. */
  | { readonly kind: 'full' };

export interface SampleIntake {
  /** Does not change. */
  readonly format: SampleFormat;
  /** Samples that `append` takes at a time; at least one. */
  readonly capacity: { readonly waitingMax: number };
  /**
   * Takes all of `samples` or none. What is taken is durable when this returns, and is not taken again: ids are unique
   * within `origin`.
   * @throws STORE_LOCKED where trying again soon may help, STORE_WRITE_FAILED, STORE_CORRUPT; nothing was taken then
   */
  append(samples: readonly IncomingSample[], origin: string): IntakeOutcome;
}
