import type { PlannedBatch, Strategy } from './strategy.ts';

/** The model as it was deployed: it is tested on what arrives, and never trained. What the others are measured against. */
export class Frozen implements Strategy {
  readonly tests = 'apart';
  readonly restart = 'never';
  readonly publishes = 'any-time';

  plan(): Iterable<PlannedBatch> {
    return [];
  }
}
