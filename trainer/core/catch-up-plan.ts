/**
 * Decides how an agent gets from where it is to the head: the stored deltas one by one, one squashed delta, or a
 * snapshot, whichever costs the fewest bytes on the wire. Reads the log through an interface and has no state.
 */
import { assert } from '@freshet/protocol/assert';
import { decodeDeltaPayload, encodeDeltaPayload } from '@freshet/protocol/delta-payload';
import { modelTag } from '@freshet/protocol/digest';
import type { ModelDigest, Position, Root, WeightsVersion } from '@freshet/protocol/ids';
import { DELTA_PAYLOAD_BYTES_MAX } from '@freshet/protocol/limits';
import { deltaWireBytes, snapshotWireBytes } from './frame-bytes.ts';
import { deltaPayloadBytes, TouchedWeights } from './squash.ts';

/** What a plan needs to know of the version log. */
export interface CatchUpHistory {
  readonly modelDigest: ModelDigest;
  /** Newest version. */
  readonly head: Position;
  /** Weights of `head`: read, never kept or changed. */
  readonly headWeights: Float32Array;
  /** Root of a version, or null when the log does not hold it. */
  rootOf(version: WeightsVersion): Root | null;
  /** Payload sizes of the deltas base→base+1, base+1→base+2, …, head; null when the log lacks one of them. */
  deltaBytesFrom(base: WeightsVersion): Iterable<number> | null;
  /** Payloads of the same run. */
  deltaPayloadsFrom(base: WeightsVersion): Iterable<Uint8Array>;
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

/** Fewest bytes a changed weight takes in a delta payload: one of gap, four of value. */
const CHANGE_BYTES_MIN = 5;

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
  const { head, headWeights } = history;
  const snapshotBytes = snapshotWireBytes({ version: head.version, elementCount: headWeights.length });
  const snapshot: CatchUpPlan = { kind: 'snapshot', wireBytes: snapshotBytes };
  if (from === null || history.rootOf(from.version) !== from.root) return snapshot;
  assert(from.version <= head.version, 'no position above the head is in the log');
  if (from.version === head.version) return { kind: 'current' };

  const base = from.version;
  const runBytesMax = Math.max(RUN_BYTES_PER_SNAPSHOT_MAX * snapshotBytes, limits.runBytesAlwaysRead);
  const run = measureRun(base, history, runBytesMax);
  if (run === null) return snapshot;
  const squashable = run.count > 1 && run.payloadBytes <= limits.squashInputBytesMax;
  const squash = squashable ? planSquash(base, history, run, snapshotBytes) : null;
  const cheapest = squash ?? { kind: 'chain', base, wireBytes: run.wireBytes };
  return cheapest.wireBytes <= snapshotBytes ? cheapest : snapshot;
}

/** Null when the log lacks a delta of the run or the run is longer than `wireBytesMax`. */
function measureRun(base: WeightsVersion, history: CatchUpHistory, wireBytesMax: number): Run | null {
  const tag = modelTag(history.modelDigest);
  const sizes = history.deltaBytesFrom(base);
  if (sizes === null) return null;
  let count = 0;
  let payloadBytes = 0;
  let wireBytes = 0;
  for (const bytes of sizes) {
    payloadBytes += bytes;
    wireBytes += deltaWireBytes({
      modelTag: tag,
      base: base + count,
      next: base + count + 1,
      payloadBytes: bytes,
    });
    count++;
    if (wireBytes > wireBytesMax) return null;
  }
  assert(count === history.head.version - base, 'the run reaches the head');
  return { count, payloadBytes, wireBytes };
}

/** Null when the squash is no cheaper than run and snapshot, as soon as that is certain. */
function planSquash(
  base: WeightsVersion,
  history: CatchUpHistory,
  run: Run,
  snapshotBytes: number,
): Extract<CatchUpPlan, { kind: 'squash' }> | null {
  const { headWeights, head } = history;
  const payloadBytesMax = Math.min(run.wireBytes, snapshotBytes, DELTA_PAYLOAD_BYTES_MAX);
  const touched = new TouchedWeights(headWeights.length);
  for (const payload of history.deltaPayloadsFrom(base)) {
    touched.add(decodeDeltaPayload(payload, headWeights.length).indices);
    if (touched.count * CHANGE_BYTES_MIN > payloadBytesMax) return null;
  }
  const delta = touched.deltaTo(headWeights);
  const payloadBytes = deltaPayloadBytes(delta.indices);
  if (payloadBytes > DELTA_PAYLOAD_BYTES_MAX) return null;
  const tag = modelTag(history.modelDigest);
  const wireBytes = deltaWireBytes({ modelTag: tag, base, next: head.version, payloadBytes });
  if (wireBytes >= Math.min(run.wireBytes, snapshotBytes)) return null;
  return { kind: 'squash', base, payload: encodeDeltaPayload(delta), wireBytes };
}
