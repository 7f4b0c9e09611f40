/**
 * What the hub has done since it started: counters that only grow, read by the metrics.
 */
import { isErrorCode } from '@freshet/protocol/errors';
import type { TrafficKind } from './frame.ts';

/** Samples that agents have sent, by what has become of them. */
export interface FeedbackCounts {
  readonly taken: number;
  /** Had been taken before. */
  readonly duplicates: number;
  readonly refused: number;
  /** Batches for which there was no room: their agents keep them for later. */
  readonly deferredBatches: number;
}

export interface HubCounts {
  readonly sentBytes: Readonly<Record<TrafficKind, number>>;
  readonly publishes: number;
  /** By error code; codes that this hub does not know are counted as OTHER, as a peer may send anything. */
  readonly nacks: Readonly<Record<string, number>>;
  readonly feedback: FeedbackCounts;
}

export class HubCounters implements HubCounts {
  readonly sentBytes: Record<TrafficKind, number> = { delta: 0, squash: 0, snapshot: 0, other: 0 };
  readonly nacks: Record<string, number> = {};
  readonly feedback = { taken: 0, duplicates: 0, refused: 0, deferredBatches: 0 };
  publishes = 0;

  nacked(code: string): void {
    const known = isErrorCode(code) ? code : 'OTHER';
    this.nacks[known] = (this.nacks[known] ?? 0) + 1;
  }
}
