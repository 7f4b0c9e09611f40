/**
 * Decides how an agent gets from where it is to the head: the stored deltas one by one, one squashed delta, or a
 * snapshot, whichever costs the fewest bytes on the wire. Reads the log through an interface and has no state.
 */
import { assert } from '@freshet/protocol/assert';
import type { SparseDelta } from '@freshet/protocol/delta';
import { type DeltaLayout, encodeDeltaPayload } from '@freshet/protocol/delta-payload';
import { FreshetError } from '@freshet/protocol/errors';
import type { Position, Root, WeightsVersion } from '@freshet/protocol/ids';
import { deltaWireBytes } from './frame-bytes.ts';
import { TouchedWeights } from './squash.ts';

/** What a plan needs to know of the version log. */
export interface CatchUpHistory {
  readonly layout: DeltaLayout;
  /** Where the way is to lead; mostly the newest version. */
  readonly head: Position;
  /** Weights of `head`: read, never kept or changed. */
  readonly headWeights: Float32Array;
  /** Whether proofs carry a signature. */
  readonly signed: boolean;
  /** All frames of a snapshot of `head`, WebSocket headers included. */
  readonly snapshotBytes: number;
  /** Root of a version, or null when the log does not hold it. */
  rootOf(version: WeightsVersion): Root | null;
  /** Payload sizes of the deltas base→base+1, base+1→base+2, …, head; null when the log lacks one of them. */
  deltaBytesFrom(base: WeightsVersion): Iterable<number> | null;
  /** Takes `weights` of the head back to those of `base`, in place, and yields each change on the way. */
  takeBack(weights: Float32Array, base: WeightsVersion): Iterable<SparseDelta>;
}

/** `wireBytes`: all frames of the way, WebSocket headers included. */
export type CatchUpPlan =
  | { readonly kind: 'current' }
  /** The stored deltas from `base` to the head, each as it is. */
  | { readonly kind: 'chain'; readonly base: WeightsVersion; readonly wireBytes: number }
  /** One delta from `base` to the head; the payload is owned by whoever asked for the plan. */
  | {
      readonly kind: 'squash';
      readonly base: WeightsVersion;
      readonly payload: Uint8Array;
      readonly wireBytes: number;
    }
  | { readonly kind: 'snapshot'; readonly wireBytes: number };

/** Bounds on what is read to find the cheapest way: it happens on the hub's thread. */
export interface CatchUpLimits {
  /**
   * Bytes of a run that are looked at whatever the size of the model. Beyond it, a run is given up for a snapshot at
   * four times the snapshot's bytes: deltas that overlap enough to squash below it again are rare.
   */
  readonly runBytesAlwaysRead: number;
  /** A run of more payload bytes is not squashed. */
  readonly squashInputBytesMax: number;
}

export const CATCH_UP_LIMITS: CatchUpLimits = {
  runBytesAlwaysRead: 4 * 1024 * 1024,
  squashInputBytesMax: 64 * 1024 * 1024,
};

const RUN_BYTES_PER_SNAPSHOT_MAX = 4;

interface Run {
  readonly count: number;
  readonly payloadBytes: number;
  readonly wireBytes: number;
}

/**
 * The cheapest way from `from` to the head of `history`. An agent with nothing, or at a position that the log does
 * not hold (any more), gets a snapshot. Of two equal ways the one that leaves the device more versions wins.
 */
export function planCatchUp(
  from: Position | null,
  history: CatchUpHistory,
  limits: CatchUpLimits = CATCH_UP_LIMITS,
): CatchUpPlan {
  const { head, snapshotBytes } = history;
  const snapshot: CatchUpPlan = { kind: 'snapshot', wireBytes: snapshotBytes };
  if (from === null || history.rootOf(from.version) !== from.root) return snapshot;
  assert(from.version <= head.version, 'no position above the head is in the log');
  if (from.version === head.version) return { kind: 'current' };

  const base = from.version;
  const runBytesMax = Math.max(RUN_BYTES_PER_SNAPSHOT_MAX * snapshotBytes, limits.runBytesAlwaysRead);
  const run = measureRun(base, history, runBytesMax);
  if (run === null) return snapshot;
  const squashable = run.count > 1 && run.payloadBytes <= limits.squashInputBytesMax;
  const squash = squashable ? planSquash(base, history, Math.min(run.wireBytes, snapshotBytes)) : null;
  const cheapest = squash ?? { kind: 'chain', base, wireBytes: run.wireBytes };
  return cheapest.wireBytes <= snapshotBytes ? cheapest : snapshot;
}

/** Null when the log lacks a delta of the run or the run is longer than `wireBytesMax`. */
function measureRun(base: WeightsVersion, history: CatchUpHistory, wireBytesMax: number): Run | null {
  const sizes = history.deltaBytesFrom(base);
  if (sizes === null) return null;
  let count = 0;
  let payloadBytes = 0;
  let wireBytes = 0;
  for (const bytes of sizes) {
    payloadBytes += bytes;
    wireBytes += deltaWireBytes({
      base: base + count,
      next: base + count + 1,
      payloadBytes: bytes,
      signed: history.signed,
    });
    count++;
    if (wireBytes > wireBytesMax) return null;
  }
  assert(count === history.head.version - base, 'the run reaches the head');
  return { count, payloadBytes, wireBytes };
}

/** Null when the squash does not take fewer bytes than `wireBytesMax`. */
function planSquash(
  base: WeightsVersion,
  history: CatchUpHistory,
  wireBytesMax: number,
): Extract<CatchUpPlan, { kind: 'squash' }> | null {
  const { head, headWeights, layout, signed } = history;
  const touched = new TouchedWeights(headWeights.length);
  const baseWeights = headWeights.slice();
  for (const { indices } of history.takeBack(baseWeights, base)) touched.add(indices);
  const payload = encodeOrNull(touched.deltaBetween(baseWeights, headWeights), baseWeights, layout);
  if (payload === null) return null;
  const wireBytes = deltaWireBytes({ base, next: head.version, payloadBytes: payload.length, signed });
  return wireBytes < wireBytesMax ? { kind: 'squash', base, payload, wireBytes } : null;
}

/** Null when the delta is too large for one message. */
function encodeOrNull(delta: SparseDelta, base: Float32Array, layout: DeltaLayout): Uint8Array | null {
  try {
    return encodeDeltaPayload(delta, base, layout);
  } catch (error) {
    if (error instanceof FreshetError && error.code === 'DELTA_MALFORMED') return null;
    throw error;
  }
}
