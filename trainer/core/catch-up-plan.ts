/**
 * Decides how an agent gets from where it is to the head: the stored deltas one by one, one squashed delta, or a
 * snapshot, whichever costs the fewest bytes on the wire. Reads the log through an interface and has no state.
 *
 * What a squash costs is known only once it is made, which takes long. So a plan is made in two steps: `openPlan` says
 * what is certain already, or which squash has to be made; `closePlan` takes that and decides.
 */
import { assert } from '@freshet/protocol/assert';
import type { Position, Root, WeightsVersion } from '@freshet/protocol/ids';
import { deltaWireBytes } from './frame-bytes.ts';

/** What a plan needs to know of the version log. */
export interface CatchUpHistory {
  /** Where the way is to lead; mostly the newest version. */
  readonly head: Position;
  /** Whether proofs carry a signature. */
  readonly signed: boolean;
  /** All frames of a snapshot of `head`, WebSocket headers included; estimated where its chunks are not encoded yet. */
  readonly snapshotBytes: number;
  /** Root of a version, or null when the log does not hold it. */
  rootOf(version: WeightsVersion): Root | null;
  /** Payload sizes of the deltas base→base+1, base+1→base+2, …, head; null when the log lacks one of them. */
  deltaBytesFrom(base: WeightsVersion): Iterable<number> | null;
}

/** `wireBytes`: all frames of the way, WebSocket headers included. */
export type CatchUpPlan =
  | { readonly kind: 'current' }
  /** The stored deltas from `base` to the head, each as it is. */
  | { readonly kind: 'chain'; readonly base: WeightsVersion; readonly wireBytes: number }
  /** One delta from `base` to the head; the payload is the one that the plan was closed with. */
  | {
      readonly kind: 'squash';
      readonly base: WeightsVersion;
      readonly payload: Uint8Array;
      readonly wireBytes: number;
    }
  | { readonly kind: 'snapshot'; readonly wireBytes: number };

/** Not decided: squash the versions from `base` to `head`, and close the plan with what comes out. */
export interface OpenPlan {
  readonly kind: 'open';
  readonly base: WeightsVersion;
  readonly head: Position;
  /** Without a squash. */
  readonly ways: CatchUpWays;
}

/** Bounds on what is read to find the cheapest way. */
export interface CatchUpLimits {
  /**
   * Bytes of a run that are looked at whatever the size of the model. Beyond it, a run is given up for a snapshot at
   * four times the snapshot's bytes: deltas that overlap enough to squash below it again are rare.
   */
  readonly runBytesAlwaysRead: number;
  /** A run of more payload bytes is not squashed: others wait for it, some 200 ms for a MiB of q4. */
  readonly squashInputBytesMax: number;
}

export const CATCH_UP_LIMITS: CatchUpLimits = {
  runBytesAlwaysRead: 4 * 1024 * 1024,
  squashInputBytesMax: 16 * 1024 * 1024,
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
 * The cheapest way from `from` to the head of `history`, as far as it can be known without squashing. An agent with
 * nothing, or at a position that the log does not hold (any more), gets a snapshot.
 */
export function openPlan(
  from: Position | null,
  history: CatchUpHistory,
  limits: CatchUpLimits = CATCH_UP_LIMITS,
): CatchUpPlan | OpenPlan {
  const { head, snapshotBytes } = history;
  if (from === null || history.rootOf(from.version) !== from.root) {
    return { kind: 'snapshot', wireBytes: snapshotBytes };
  }
  assert(from.version <= head.version, 'no position above the head is in the log');
  if (from.version === head.version) return { kind: 'current' };
  const open = openWays(from.version, history, limits);
  return open.isSquashable
    ? { kind: 'open', base: from.version, head, ways: open.ways }
    : cheapestWay(from.version, open.ways);
}

/**
 * The plan for an agent that cannot take the stored deltas: one delta with exact values, encoded anew from the bits of
 * both versions, or a snapshot where that takes fewer bytes or there is no such delta.
 */
export function openExactPlan(
  base: WeightsVersion,
  history: CatchUpHistory,
  limits: CatchUpLimits = CATCH_UP_LIMITS,
): Extract<CatchUpPlan, { kind: 'snapshot' }> | OpenPlan {
  const { head, snapshotBytes: wireBytes } = history;
  const run = measureRun(base, history, runBytesMax(history, limits));
  if (run === null || run.payloadBytes > limits.squashInputBytesMax) return { kind: 'snapshot', wireBytes };
  return { kind: 'open', base, head, ways: { chain: null, squash: null, snapshot: { wireBytes } } };
}

/**
 * Decides, with the `squash` that was to be made: its payload, or null where one message cannot hold it or it could not
 * be made. Of two equal ways the one that leaves the device more versions wins.
 */
export function closePlan(
  plan: OpenPlan,
  squash: Uint8Array | null,
  signed: boolean,
): Exclude<CatchUpPlan, { kind: 'current' }> {
  return cheapestWay(plan.base, withSquash(plan, squash, signed));
}

/** All ways of `plan`, that of `squash` included. */
export function withSquash(plan: OpenPlan, squash: Uint8Array | null, signed: boolean): CatchUpWays {
  if (squash === null) return plan.ways;
  const wireBytes = deltaWireBytes({
    base: plan.base,
    next: plan.head.version,
    payloadBytes: squash.length,
    signed,
  });
  return { ...plan.ways, squash: { payload: squash, wireBytes } };
}

/** What each way from `base`, below the head of `history`, costs, but for the squash, and whether there may be one. */
export function openWays(
  base: WeightsVersion,
  history: CatchUpHistory,
  limits: CatchUpLimits = CATCH_UP_LIMITS,
): { readonly ways: CatchUpWays; readonly isSquashable: boolean } {
  const run = measureRun(base, history, runBytesMax(history, limits));
  return {
    ways: {
      chain: run === null ? null : { count: run.count, wireBytes: run.wireBytes },
      squash: null,
      snapshot: { wireBytes: history.snapshotBytes },
    },
    isSquashable: run !== null && run.count > 1 && run.payloadBytes <= limits.squashInputBytesMax,
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
