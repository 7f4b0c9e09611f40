/**
 * Turns "this agent is there" into frames that take it to the head. What leads from one version to the head is
 * planned and encoded once, however many agents stand at that version: for a live fleet that is one encoding per
 * publish, for agents that lag alike one squash. Agents that cannot take it (an unknown value format, too large a
 * message) share a second way, in exact values.
 */
import { assert } from '@freshet/protocol/assert';
import { formatsOfPayload } from '@freshet/protocol/delta-payload';
import type { Capabilities } from '@freshet/protocol/handshake';
import { type Position, samePosition, type WeightsVersion } from '@freshet/protocol/ids';
import { DOWNSTREAM_FRAME_BYTES_MAX, FRAME_OVERHEAD_BYTES_MAX } from '@freshet/protocol/limits';
import type { Model } from '@freshet/protocol/model';
import { VALUE_FORMATS, type ValueFormat } from '@freshet/protocol/payload/value-format';
import { snapshotChunkCount } from '@freshet/protocol/snapshot-chunk';
import {
  type CatchUpHistory,
  type CatchUpLimits,
  type CatchUpPlan,
  type CatchUpWays,
  planCatchUp,
  planExact,
  weighCatchUp,
} from '../core/catch-up-plan.ts';
import type { PartialSnapshot } from '../core/session-state.ts';
import type { VersionLog } from '../history/version-log.ts';
import { encodeDeltaFrame } from './frame.ts';
import type { Signer } from './signer.ts';
import { SnapshotCost } from './snapshot-cost.ts';
import { type SnapshotLease, SnapshotPool } from './snapshot-pool.ts';
import { WayCache } from './way-cache.ts';

export type Transfer =
  /** One frame that leads to `position`, shared with other sessions. */
  | {
      readonly kind: 'frame';
      readonly traffic: 'delta' | 'squash';
      readonly position: Position;
      readonly frame: Buffer;
      /** Of the values in it. */
      readonly formats: readonly ValueFormat[];
    }
  /** The stored deltas up to `through`, taken one by one from `storedDelta`. */
  | { readonly kind: 'chain'; readonly through: WeightsVersion }
  /** The chunks from `firstChunk` on: those before it are with the agent. */
  | { readonly kind: 'snapshot'; readonly lease: SnapshotLease; readonly firstChunk: number };

/** Where an agent is and what it can take. */
export interface TransferNeed {
  /** Not the head. */
  readonly cursor: Position | null;
  /** Nothing but a snapshot will do. */
  readonly snapshotDue: boolean;
  /** What the agent has kept of a snapshot whose connection broke. */
  readonly partial: PartialSnapshot | null;
  readonly capabilities: Capabilities;
}

type FrameTransfer = Extract<Transfer, { kind: 'frame' }>;

/** `wireBytes`: what the whole way costs. */
type Way = (Exclude<Transfer, { kind: 'snapshot' }> | { readonly kind: 'snapshot' }) & {
  readonly wireBytes: number;
};

const frameBytesOf = (way: Way): number => (way.kind === 'frame' ? way.frame.length : 0);

export class TransferSource {
  readonly #log: VersionLog;
  readonly #limits: CatchUpLimits;
  readonly #signer: Signer;
  readonly #snapshots: SnapshotPool;
  readonly #snapshotCost: SnapshotCost;
  readonly #cheapestWays = new WayCache<Way>(frameBytesOf);
  readonly #exactWays = new WayCache<Way>(frameBytesOf);
  #trace: { readonly version: WeightsVersion; readonly traceparent: string } | null = null;

  constructor(log: VersionLog, limits: CatchUpLimits, signer: Signer) {
    this.#log = log;
    this.#limits = limits;
    this.#signer = signer;
    this.#snapshots = new SnapshotPool(log, signer);
    this.#snapshotCost = new SnapshotCost(this.#snapshots);
  }

  /**
   * The next transfer for an agent. Null when it needs a snapshot and has to wait for others to finish theirs. The
   * caller releases the lease of a snapshot.
   */
  next(need: TransferNeed): Transfer | null {
    const { cursor, snapshotDue, partial, capabilities } = need;
    const way = cursor === null || snapshotDue ? null : this.#wayFrom(cursor, capabilities);
    const resumed = partial === null ? null : this.#resume(partial, way, capabilities);
    if (resumed !== null) return resumed;
    if (way !== null && way.kind !== 'snapshot') return way;
    const lease = this.#snapshots.lease(cursor?.version ?? null);
    return lease === null ? null : { kind: 'snapshot', lease, firstChunk: 0 };
  }

  /** The delta that follows `base` as a frame of its own, or null when the log no longer holds it. */
  storedDelta(base: WeightsVersion): FrameTransfer | null {
    const stored = this.#log.deltaAfter(base);
    if (stored === null) return null;
    const position = { version: stored.next, root: stored.root };
    const formats = formatsOfPayload(stored.payload, this.#model());
    return this.#frameTransfer('delta', base, position, stored.payload, formats);
  }

  /** The delta to `version` carries `traceparent` from now on; what was traced before it does no more. */
  trace(version: WeightsVersion, traceparent: string): void {
    this.#trace = { version, traceparent };
  }

  /** What each way from version `from` to `to` costs; null when the log does not hold one of them. */
  weigh(from: WeightsVersion, to: WeightsVersion): CatchUpWays | null {
    assert(from < to, 'a way leads upwards');
    const root = this.#log.rootOf(to);
    if (root === null || this.#log.rootOf(from) === null) return null;
    const isHead = to === this.#head().version;
    const weights = isHead ? this.#log.headWeights() : this.#log.weightsOf(to);
    return weighCatchUp(from, this.#history({ version: to, root }, weights), this.#limits);
  }

  /** The rest of the snapshot that the agent has begun, where that costs less than `way` (null: a snapshot). */
  #resume(partial: PartialSnapshot, way: Way | null, capabilities: Capabilities): Transfer | null {
    const { chunkCount: firstChunk, ...position } = partial;
    const head = this.#head();
    const isKnown = this.#log.rootOf(position.version) === position.root;
    if (!isKnown || firstChunk >= snapshotChunkCount(this.#model().elementCount)) return null;
    const afterwards = samePosition(position, head) ? null : this.#wayFrom(position, capabilities);
    const restBytes = this.#snapshotBytes(position, firstChunk) + (afterwards?.wireBytes ?? 0);
    if (restBytes >= (way?.wireBytes ?? this.#snapshotBytes(head))) return null;
    const lease = this.#snapshots.leaseOf(position);
    return lease === null ? null : { kind: 'snapshot', lease, firstChunk };
  }

  /** The cheapest way from `cursor`, below the head, that an agent with these capabilities can go. */
  #wayFrom(cursor: Position, capabilities: Capabilities): Way {
    const head = this.#head();
    const cheapest = this.#cheapestWays.get(cursor.version, head.version, () =>
      this.#prepare(planCatchUp(cursor, this.#historyOfHead(), this.#limits)),
    );
    if (this.#canTake(cheapest, cursor.version, capabilities)) return cheapest;
    const exact = this.#exactWays.get(cursor.version, head.version, () =>
      this.#prepare(planExact(cursor.version, this.#historyOfHead(), this.#limits)),
    );
    if (this.#canTake(exact, cursor.version, capabilities)) return exact;
    return { kind: 'snapshot', wireBytes: this.#snapshotBytes(head) };
  }

  /** Every agent takes the chunks of a snapshot: they are below FRAME_BYTES_FLOOR. */
  #canTake(way: Way, start: WeightsVersion, { valueFormats, frameBytesMax }: Capabilities): boolean {
    const knowsAll = valueFormats.size === VALUE_FORMATS.length;
    if (way.kind === 'snapshot') return true;
    if (way.kind === 'frame') {
      return way.frame.length <= frameBytesMax && way.formats.every((format) => valueFormats.has(format));
    }
    if (knowsAll && frameBytesMax === DOWNSTREAM_FRAME_BYTES_MAX) return true;
    for (const { payload } of this.#log.deltasFrom(start) ?? []) {
      if (payload.length + FRAME_OVERHEAD_BYTES_MAX > frameBytesMax) return false;
      if (knowsAll) continue;
      if (!formatsOfPayload(payload, this.#model()).every((format) => valueFormats.has(format))) return false;
    }
    return true;
  }

  #prepare(plan: CatchUpPlan): Way {
    assert(plan.kind !== 'current', 'an agent at the head needs no transfer');
    const head = this.#head();
    switch (plan.kind) {
      case 'chain': {
        const only = plan.base + 1 === head.version ? this.storedDelta(plan.base) : null;
        return { ...(only ?? { kind: 'chain', through: head.version }), wireBytes: plan.wireBytes };
      }
      case 'squash': {
        const formats = formatsOfPayload(plan.payload, this.#model());
        const frame = this.#frameTransfer('squash', plan.base, head, plan.payload, formats);
        return { ...frame, wireBytes: plan.wireBytes };
      }
      case 'snapshot':
        return plan;
    }
  }

  #frameTransfer(
    traffic: FrameTransfer['traffic'],
    base: WeightsVersion,
    position: Position,
    payload: Uint8Array,
    formats: readonly ValueFormat[],
  ): FrameTransfer {
    const isLive = base + 1 === this.#head().version;
    const { digest } = this.#model();
    const frame = encodeDeltaFrame(digest, {
      base,
      next: position.version,
      proof: this.#signer.prove(digest, position),
      payload,
      trafficClass: isLive ? 'live' : 'catch-up',
      traceparent: this.#trace?.version === position.version ? this.#trace.traceparent : null,
    });
    return { kind: 'frame', traffic, position, frame, formats };
  }

  #historyOfHead(): CatchUpHistory {
    return this.#history(this.#head(), this.#log.headWeights());
  }

  /** The log as if `head`, whose weights are `headWeights`, were its newest version. */
  #history(head: Position, headWeights: Float32Array): CatchUpHistory {
    const log = this.#log;
    const signed = this.#signer.publicKey !== null;
    return {
      layout: this.#model(),
      head,
      headWeights,
      signed,
      snapshotBytes: this.#snapshotCost.wireBytes(head, headWeights, signed),
      rootOf: (version) => log.rootOf(version),
      deltaBytesFrom: (base) => log.deltaBytesFrom(base, head.version),
      takeBack: (weights, base) => log.takeBack(weights, head.version, base),
    };
  }

  #snapshotBytes(position: Position, firstChunk = 0): number {
    const signed = this.#signer.publicKey !== null;
    return this.#snapshotCost.wireBytes(position, this.#log.headWeights(), signed, firstChunk);
  }

  #head(): Position {
    const head = this.#log.head();
    assert(head !== null, 'sessions start when there is a head');
    return head;
  }

  #model(): Model {
    const model = this.#log.model();
    assert(model !== null, 'a log with a head has a model');
    return model;
  }
}
