/**
 * Decides how an agent gets from where it is to the head: the stored deltas one by one, one squashed delta, or a
 * snapshot, whichever costs the fewest bytes on the wire. Reads the log through an interface and has no state.
 */
import { assert } from '@freshet/protocol/assert';
import type { SparseDelta } from '@freshet/protocol/delta';
import { type DeltaLayout, encodeDeltaPayload } from '@freshet/protocol/delta-payload';
import type { Position, Root, WeightsVersion } from '@freshet/protocol/ids';
import { DELTA_PAYLOAD_BYTES_MAX } from '@freshet/protocol/limits';
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
  /** All frames of a snapshot of `head`, WebSocket headers included; estimated where its chunks are not encoded yet. */
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
  /** A run of more payload bytes is not squashed: the hub's loop stands still for it, some 200 ms for a MiB of q4. */
  readonly squashInputBytesMax: number;
}

export const CATCH_UP_LIMITS: CatchUpLimits = {
  runBytesAlwaysRead: 4 * 1024 * 1024,
  squashInputBytesMax: 2 * 1024 * 1024,
};

const RUN_BYTES_PER_SNAPSHOT_MAX = 4;

interface Run {
  readonly count: number;
  readonly payloadBytes: number;
  readonly wireBytes: number;
}

/** Every way from one version to another, with what it costs; null where there is none. */
export interface CatchUpWays {
  /** `count` stored deltas. Null when the log lacks one of them, or they are far longer than a snapshot. */
  readonly chain: { readonly count: number; readonly wireBytes: number } | null;
  /** Null for fewer than two deltas, for so many that squashing them costs too much, and when one message cannot hold it. */
  readonly squash: { readonly payload: Uint8Array; readonly wireBytes: number } | null;
  readonly snapshot: { readonly wireBytes: number };
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
  if (from === null || history.rootOf(from.version) !== from.root) {
    return { kind: 'snapshot', wireBytes: snapshotBytes };
  }
  assert(from.version <= head.version, 'no position above the head is in the log');
  if (from.version === head.version) return { kind: 'current' };
  return cheapestWay(from.version, weighCatchUp(from.version, history, limits));
}

/**
 * The way from `base` for an agent that cannot take the stored deltas: one delta with exact values, encoded anew from
 * the bits of both versions, or a snapshot where that takes fewer bytes or there is no such delta.
 */
export function planExact(
  base: WeightsVersion,
  history: CatchUpHistory,
  limits: CatchUpLimits = CATCH_UP_LIMITS,
): Extract<CatchUpPlan, { kind: 'squash' | 'snapshot' }> {
  const { snapshotBytes } = history;
  const run = measureRun(base, history, runBytesMax(history, limits));
  const isSquashable = run !== null && run.payloadBytes <= limits.squashInputBytesMax;
  const squash = isSquashable ? squashFrom(base, history) : null;
  return squash === null || squash.wireBytes > snapshotBytes
    ? { kind: 'snapshot', wireBytes: snapshotBytes }
    : { kind: 'squash', base, ...squash };
}

/** What each way from `base`, below the head of `history`, costs. */
export function weighCatchUp(
  base: WeightsVersion,
  history: CatchUpHistory,
  limits: CatchUpLimits = CATCH_UP_LIMITS,
): CatchUpWays {
  const { snapshotBytes } = history;
  const run = measureRun(base, history, runBytesMax(history, limits));
  const isSquashable = run !== null && run.count > 1 && run.payloadBytes <= limits.squashInputBytesMax;
  return {
    chain: run === null ? null : { count: run.count, wireBytes: run.wireBytes },
    squash: isSquashable ? squashFrom(base, history) : null,
    snapshot: { wireBytes: snapshotBytes },
  };
}

/** The one of `ways` with the fewest bytes. */
export function cheapestWay(
  base: WeightsVersion,
  { chain, squash, snapshot }: CatchUpWays,
): Exclude<CatchUpPlan, { kind: 'current' }> {
  const plans: readonly Exclude<CatchUpPlan, { kind: 'current' }>[] = [
    ...(chain === null ? [] : [{ kind: 'chain' as const, base, wireBytes: chain.wireBytes }]),
    ...(squash === null ? [] : [{ kind: 'squash' as const, base, ...squash }]),
    { kind: 'snapshot', wireBytes: snapshot.wireBytes },
  ];
  return plans.reduce((best, each) => (each.wireBytes < best.wireBytes ? each : best));
}

function runBytesMax({ snapshotBytes }: CatchUpHistory, { runBytesAlwaysRead }: CatchUpLimits): number {
  return Math.max(RUN_BYTES_PER_SNAPSHOT_MAX * snapshotBytes, runBytesAlwaysRead);
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

function squashFrom(base: WeightsVersion, history: CatchUpHistory): CatchUpWays['squash'] {
  const { head, headWeights, layout, signed } = history;
  const touched = new TouchedWeights(headWeights.length);
  const baseWeights = headWeights.slice();
  for (const { indices } of history.takeBack(baseWeights, base)) touched.add(indices);
  const delta = touched.deltaBetween(baseWeights, headWeights);
  const payload = encodeDeltaPayload(delta, baseWeights, layout);
  if (payload.length > DELTA_PAYLOAD_BYTES_MAX) return null;
  return {
    payload,
    wireBytes: deltaWireBytes({ base, next: head.version, payloadBytes: payload.length, signed }),
  };
}
