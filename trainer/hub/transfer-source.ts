/**
 * Turns "this agent is there" into the next transfer that takes it towards the head: the way that the planner finds, or
 * the rest of a snapshot that the agent has begun, where that costs less.
 */
import { assert } from '@freshet/protocol/assert';
import type { Capabilities } from '@freshet/protocol/handshake';
import { type Position, samePosition, type WeightsVersion } from '@freshet/protocol/ids';
import { snapshotChunkCount } from '@freshet/protocol/snapshot-chunk';
import type { Logger } from 'pino';
import type { CatchUpLimits } from '../core/catch-up-plan.ts';
import type { PartialSnapshot } from '../core/session-state.ts';
import type { VersionLog } from '../history/version-log.ts';
import { DeltaFrames, type FrameTransfer } from './delta-frames.ts';
import type { Signer } from './signer.ts';
import { SnapshotCost } from './snapshot-cost.ts';
import { type SnapshotLease, SnapshotPool } from './snapshot-pool.ts';
import { PastVersions } from './ways/past-versions.ts';
import { SharedWork } from './ways/shared-work.ts';
import type { ChainWay, Way } from './ways/way.ts';
import { isNoWay, WayPlanner, type WeighedWays } from './ways/way-planner.ts';

export type Transfer =
  | FrameTransfer
  /** Taken one by one from `storedDelta`. */
  | ChainWay
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

/**
 * `wait`: an agent needs a snapshot and others have to finish theirs first. `make`: ask `TransferSource.make`, which takes
 * a while.
 */
export type NextTransfer = Transfer | { readonly kind: 'wait' } | { readonly kind: 'make' };

export interface TransferSourceOptions {
  readonly log: VersionLog;
  readonly limits: CatchUpLimits;
  readonly signer: Signer;
  readonly logger: Logger;
}

export class TransferSource {
  readonly #log: VersionLog;
  readonly #logger: Logger;
  readonly #frames: DeltaFrames;
  readonly #snapshots: SnapshotPool;
  readonly #snapshotCost: SnapshotCost;
  readonly #pastVersions: PastVersions;
  readonly #restoring = new SharedWork<WeightsVersion, Float32Array>();
  readonly #planner: WayPlanner;

  constructor({ log, limits, signer, logger }: TransferSourceOptions) {
    const signed = signer.publicKey !== null;
    this.#log = log;
    this.#logger = logger;
    this.#frames = new DeltaFrames(log, signer);
    this.#snapshots = new SnapshotPool(log, signer);
    this.#snapshotCost = new SnapshotCost(this.#snapshots, signed);
    this.#pastVersions = new PastVersions(log);
    this.#planner = new WayPlanner({
      log,
      limits,
      signed,
      frames: this.#frames,
      snapshotCost: this.#snapshotCost,
      pastVersions: this.#pastVersions,
      logger,
    });
  }

  /**
   * The log's head is new: until `settle`, its delta is live, and carries `traceparent`. Call it in the turn of the event
   * loop in which the head moved.
   */
  announce(traceparent: string | null): void {
    this.#frames.announce(this.#head().version, traceparent);
  }

  /** All who were there when the head moved have been served. */
  settle(): void {
    this.#frames.settle();
  }

  /** The next transfer for an agent, where it is known at once. The caller releases the lease of a snapshot. */
  next(need: TransferNeed): NextTransfer {
    const { cursor, snapshotDue, partial, capabilities } = need;
    if (partial !== null) return { kind: 'make' };
    if (cursor === null || snapshotDue) return this.#snapshotAbove(cursor);
    const way = this.#planner.known(cursor, capabilities);
    return way === null ? { kind: 'make' } : this.#transferOf(way, cursor);
  }

  /**
   * The next transfer for an agent, made together with those of others that need the same. It leads from the cursor to
   * what is the head when it is made. `signal` ends the waiting. @throws STORE_CORRUPT, `signal.reason`
   */
  async make(
    need: TransferNeed,
    signal: AbortSignal,
  ): Promise<Exclude<NextTransfer, { readonly kind: 'make' }>> {
    const { cursor, snapshotDue, partial, capabilities } = need;
    const way =
      cursor === null || snapshotDue ? null : await this.#planner.find(cursor, capabilities, signal);
    const resumed = partial === null ? null : await this.#resume(partial, way, capabilities, signal);
    if (resumed !== null) return resumed;
    return way === null ? this.#snapshotAbove(cursor) : this.#transferOf(way, cursor);
  }

  /** The delta that follows `base` as a frame of its own, or null when the log no longer holds it. */
  storedDelta(base: WeightsVersion): FrameTransfer | null {
    return this.#frames.stored(base);
  }

  /** See `WayPlanner.weigh`. */
  weigh(from: WeightsVersion, to: WeightsVersion): Promise<WeighedWays | null> {
    return this.#planner.weigh(from, to);
  }

  /** Gives up whatever is being made. */
  close(): Promise<void> {
    return this.#pastVersions.close();
  }

  #transferOf(way: Way, cursor: Position | null): Exclude<NextTransfer, { readonly kind: 'make' }> {
    return way.kind === 'snapshot' ? this.#snapshotAbove(cursor) : way;
  }

  #snapshotAbove(cursor: Position | null): Exclude<NextTransfer, { readonly kind: 'make' }> {
    const lease = this.#snapshots.lease(cursor?.version ?? null);
    return lease === null ? { kind: 'wait' } : { kind: 'snapshot', lease, firstChunk: 0 };
  }

  /** The rest of the snapshot that the agent has begun, where that costs less than `way` (null: a snapshot). */
  async #resume(
    partial: PartialSnapshot,
    way: Way | null,
    capabilities: Capabilities,
    signal: AbortSignal,
  ): Promise<Transfer | null> {
    const { chunkCount: firstChunk, ...position } = partial;
    const isKnown = this.#log.rootOf(position.version) === position.root;
    const { length: elementCount } = this.#log.headWeights();
    if (!isKnown || firstChunk >= snapshotChunkCount(elementCount)) return null;
    const afterwards = samePosition(position, this.#head())
      ? null
      : await this.#planner.find(position, capabilities, signal);
    const restBytes = this.#snapshotBytes(position, firstChunk) + (afterwards?.wireBytes ?? 0);
    if (restBytes >= (way?.wireBytes ?? this.#snapshotBytes(this.#head()))) return null;
    const lease = await this.#leaseOf(position, signal);
    return lease === null ? null : { kind: 'snapshot', lease, firstChunk };
  }

  /** The snapshot of exactly `position`; null when there is no room for it, or the version cannot be restored. */
  async #leaseOf(position: Position, signal: AbortSignal): Promise<SnapshotLease | null> {
    const pooled = this.#snapshots.leaseOf(position);
    if (pooled !== null || !this.#snapshots.hasRoom) return pooled;
    const weights = await this.#restore(position.version, signal);
    const shared = this.#snapshots.leaseOf(position);
    if (shared !== null || weights === null || !this.#snapshots.hasRoom) return shared;
    return this.#snapshots.leaseOld(position, weights);
  }

  async #restore(version: WeightsVersion, signal: AbortSignal): Promise<Float32Array | null> {
    try {
      return await this.#restoring.join(version, signal, (unwanted) =>
        this.#pastVersions.weightsOf(version, unwanted),
      );
    } catch (error) {
      // The agent gets another snapshot: what is lost is the part that it holds.
      if (!isNoWay(error)) throw error;
      this.#logger.warn({ err: error, version }, 'an old version could not be restored');
      return null;
    }
  }

  #snapshotBytes(position: Position, firstChunk = 0): number {
    return this.#snapshotCost.price(position, this.#log.headWeights(), firstChunk).wireBytes;
  }

  #head(): Position {
    const head = this.#log.head();
    assert(head !== null, 'sessions start when there is a head');
    return head;
  }
}
