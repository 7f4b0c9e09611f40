/**
 * Finds the way for an agent that is not at the head, and makes it once for all that stand where it stands. What is one
 * publish behind is known at once; what has to be squashed or read through is made meanwhile (past-versions.ts). Agents
 * that cannot take the cheapest way (an unknown value format, too large a message) share a second one, in exact values.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { assert } from '@freshet/protocol/assert';
import { formatsOfPayload } from '@freshet/protocol/delta-payload';
import { FreshetError } from '@freshet/protocol/errors';
import type { Capabilities } from '@freshet/protocol/handshake';
import type { Position, WeightsVersion } from '@freshet/protocol/ids';
import type { ValueFormat } from '@freshet/protocol/payload/value-format';
import type { Logger } from 'pino';
import {
  type CatchUpHistory,
  type CatchUpLimits,
  type CatchUpPlan,
  type CatchUpWays,
  closePlan,
  type OpenPlan,
  openExactPlan,
  openPlan,
  openWays,
  withSquash,
} from '../../core/catch-up-plan.ts';
import { onWire } from '../../core/frame-bytes.ts';
import type { VersionLog } from '../../history/version-log.ts';
import type { DeltaFrames, FrameTransfer } from '../delta-frames.ts';
import type { SnapshotCost } from '../snapshot-cost.ts';
import type { PastVersions } from './past-versions.ts';
import { SharedWork } from './shared-work.ts';
import { type ChainWay, canTake, type Way } from './way.ts';
import { WayCache } from './way-cache.ts';

/** Stored deltas that are looked through in one turn of the event loop, and their bytes: about a millisecond. */
const DELTAS_PER_TURN = 64;
const DELTA_BYTES_PER_TURN = 1024 * 1024;

export interface WayPlannerParts {
  readonly log: VersionLog;
  readonly limits: CatchUpLimits;
  /** Whether proofs carry a signature. */
  readonly signed: boolean;
  readonly frames: DeltaFrames;
  readonly snapshotCost: SnapshotCost;
  readonly pastVersions: PastVersions;
  readonly logger: Logger;
}

/** What each way costs, and whether the bytes of the snapshot are estimated. */
export interface WeighedWays extends CatchUpWays {
  readonly isSnapshotEstimated: boolean;
}

/** A kind of way, with those that are known and those that are being made. */
class WayShelf {
  readonly known = new WayCache();
  readonly underWay = new SharedWork<WeightsVersion, Way>();
}

type DecidedPlan = Exclude<CatchUpPlan, { readonly kind: 'current' }>;

export class WayPlanner {
  readonly #parts: WayPlannerParts;
  readonly #cheapest = new WayShelf();
  readonly #exact = new WayShelf();
  #isWeighing = false;
  #live: { readonly transfer: FrameTransfer; readonly way: Way } | null = null;

  constructor(parts: WayPlannerParts) {
    this.#parts = parts;
  }

  /** The cheapest way from `cursor`, below the head, that an agent with these capabilities can go, if it is known. */
  known(cursor: Position, capabilities: Capabilities): Way | null {
    const cheapest = this.#knownCheapest(cursor);
    if (cheapest === null || canTake(cheapest, capabilities)) return cheapest;
    const exact = this.#isExact(cheapest)
      ? cheapest
      : this.#exact.known.find(cursor.version, this.#head().version);
    return exact === null || canTake(exact, capabilities) ? exact : this.#snapshotWay();
  }

  /**
   * The same way, made where it is not known; it leads to what is the head when it is made. `signal` ends the waiting.
   * @throws STORE_CORRUPT, `signal.reason`
   */
  async find(cursor: Position, capabilities: Capabilities, signal: AbortSignal): Promise<Way> {
    const start = cursor.version;
    const cheapest =
      this.#knownCheapest(cursor) ??
      (await this.#cheapest.underWay.join(start, signal, (unwanted) => this.#makeCheapest(cursor, unwanted)));
    if (canTake(cheapest, capabilities)) return cheapest;
    if (this.#isExact(cheapest)) return this.#snapshotWay();
    const exact =
      this.#exact.known.find(start, this.#head().version) ??
      (await this.#exact.underWay.join(start, signal, (unwanted) => this.#makeExact(start, unwanted)));
    return canTake(exact, capabilities) ? exact : this.#snapshotWay();
  }

  /**
   * What each way from version `from` to `to` costs; null when the log does not hold one of them. One at a time, so that
   * those who are curious do not keep agents waiting.
   * @throws NOT_READY when another is being weighed, or the thread is lost; STORE_CORRUPT
   */
  async weigh(from: WeightsVersion, to: WeightsVersion): Promise<WeighedWays | null> {
    assert(from < to, 'a way leads upwards');
    if (this.#isWeighing) throw new FreshetError('NOT_READY', 'another plan is being made: try again');
    this.#isWeighing = true;
    try {
      return await this.#weigh(from, to, new AbortController().signal);
    } finally {
      this.#isWeighing = false;
    }
  }

  async #weigh(from: WeightsVersion, to: WeightsVersion, signal: AbortSignal): Promise<WeighedWays | null> {
    const { log, limits, signed, snapshotCost, pastVersions } = this.#parts;
    const root = log.rootOf(to);
    if (root === null || log.rootOf(from) === null) return null;
    const head = { version: to, root };
    const wasHead = to === this.#head().version;
    const weights = await pastVersions.weightsOf(to, signal);
    const price = wasHead ? snapshotCost.price(head, weights) : snapshotCost.priceOfOld(head, weights);
    const { ways, isSquashable } = openWays(from, this.#history(head, price.wireBytes), limits);
    const open = { kind: 'open' as const, base: from, head, ways };
    const squash = isSquashable
      ? (await pastVersions.squash(from, { position: head, weights }, signal)).payload
      : null;
    return { ...withSquash(open, squash, signed), isSnapshotEstimated: price.isEstimated };
  }

  /** Without reading through the log: who is one publish behind, or stands where a way was made from. */
  #knownCheapest(cursor: Position): Way | null {
    const { log, frames } = this.#parts;
    const { version, root } = cursor;
    const head = this.#head();
    const live = frames.live(version);
    if (live !== null) return this.#liveWay(live);
    const known = this.#cheapest.known.find(version, head.version);
    if (known !== null) return known;
    if (version + 1 !== head.version || log.rootOf(version) !== root) return null;
    const only = frames.stored(version);
    if (only === null) return null;
    return this.#keep(this.#cheapest, version, head, this.#cheaperThanSnapshot(only));
  }

  /** Weighed once, however many agents it goes to. */
  #liveWay(live: FrameTransfer): Way {
    if (this.#live?.transfer !== live) {
      this.#live = { transfer: live, way: this.#cheaperThanSnapshot(live) };
    }
    return this.#live.way;
  }

  #cheaperThanSnapshot(transfer: FrameTransfer): Way {
    const way = { ...transfer, wireBytes: onWire(transfer.frame.length) };
    const snapshot = this.#snapshotWay();
    return snapshot.wireBytes < way.wireBytes ? snapshot : way;
  }

  async #makeCheapest(cursor: Position, unwanted: AbortSignal): Promise<Way> {
    const head = this.#head();
    const plan = openPlan(cursor, this.#historyOf(head), this.#parts.limits);
    assert(plan.kind !== 'current', 'an agent at the head needs no transfer');
    if (plan.kind !== 'open') {
      return this.#keep(this.#cheapest, cursor.version, head, await this.#make(plan, head, unwanted));
    }
    const { end, payload } = await this.#squash(plan, unwanted);
    // The head may have moved on before the squash had its turn: all is weighed by where it leads.
    const moved = openPlan(cursor, this.#historyOf(end), this.#parts.limits);
    assert(moved.kind !== 'current', 'the head does not go back');
    const decided = moved.kind === 'open' ? closePlan(moved, payload, this.#parts.signed) : moved;
    return this.#keep(this.#cheapest, cursor.version, end, await this.#make(decided, end, unwanted));
  }

  async #makeExact(base: WeightsVersion, unwanted: AbortSignal): Promise<Way> {
    const { limits, signed, frames } = this.#parts;
    const announced = frames.announcedAfter(base);
    const head = this.#head();
    const plan = openExactPlan(base, this.#historyOf(head), limits);
    if (plan.kind !== 'open') return this.#keep(this.#exact, base, head, plan);
    const { end, payload } = await this.#squash(plan, unwanted);
    const moved = openExactPlan(base, this.#historyOf(end), limits);
    const decided = moved.kind === 'open' ? closePlan(moved, payload, signed) : moved;
    if (decided.kind === 'squash' && announced?.version === end.version) {
      // Who is there at the publish gets it live; who comes later does not, so this one is not kept.
      const frame = frames.squashed(base, end, decided.payload, announced);
      return { ...frame, wireBytes: onWire(frame.frame.length) };
    }
    return this.#keep(this.#exact, base, end, await this.#make(decided, end, unwanted));
  }

  #keep(shelf: WayShelf, start: WeightsVersion, end: Position, way: Way): Way {
    if (end.version === this.#head().version) shelf.known.keep(start, end.version, way);
    return way;
  }

  /** The squash that `plan` waits for, to the head of now; none where it cannot be made, and where the plan led. */
  async #squash(
    plan: OpenPlan,
    unwanted: AbortSignal,
  ): Promise<{ readonly end: Position; readonly payload: Uint8Array | null }> {
    try {
      return await this.#parts.pastVersions.squash(plan.base, null, unwanted);
    } catch (error) {
      // There are other ways: what is lost is the saving.
      if (!isNoWay(error)) throw error;
      this.#parts.logger.warn({ err: error, base: plan.base }, 'a squash could not be made');
      return { end: plan.head, payload: null };
    }
  }

  async #make(plan: DecidedPlan, end: Position, unwanted: AbortSignal): Promise<Way> {
    const { wireBytes } = plan;
    switch (plan.kind) {
      case 'chain':
        return { ...(await this.#readChain(plan.base, end.version, unwanted)), wireBytes };
      case 'squash':
        return { ...this.#parts.frames.squashed(plan.base, end, plan.payload), wireBytes };
      case 'snapshot':
        return plan;
    }
  }

  /** Looks through the stored deltas from `base` to `through` for what an agent has to understand. */
  async #readChain(base: WeightsVersion, through: WeightsVersion, unwanted: AbortSignal): Promise<ChainWay> {
    const { log } = this.#parts;
    const model = log.model();
    assert(model !== null, 'a log with a head has a model');
    const formats = new Set<ValueFormat>();
    let payloadBytesMax = 0;
    let countInTurn = 0;
    let bytesInTurn = 0;
    // Who takes the chain finds out where the log has forgotten some of it since.
    for (let stored = log.deltaAfter(base); stored !== null; stored = log.deltaAfter(stored.next)) {
      for (const format of formatsOfPayload(stored.payload, model)) formats.add(format);
      payloadBytesMax = Math.max(payloadBytesMax, stored.payload.length);
      bytesInTurn += stored.payload.length;
      if (stored.next >= through) break;
      if (++countInTurn < DELTAS_PER_TURN && bytesInTurn < DELTA_BYTES_PER_TURN) continue;
      countInTurn = 0;
      bytesInTurn = 0;
      await nextTurn();
      unwanted.throwIfAborted();
    }
    return { kind: 'chain', through, formats: [...formats], payloadBytesMax };
  }

  /** Whether no other encoding of its values is understood by more agents. */
  #isExact(way: Way): boolean {
    return way.kind === 'frame' && way.traffic === 'squash';
  }

  #snapshotWay(): Way {
    const head = this.#head();
    const { log, snapshotCost } = this.#parts;
    return { kind: 'snapshot', wireBytes: snapshotCost.price(head, log.headWeights()).wireBytes };
  }

  #historyOf(head: Position): CatchUpHistory {
    const { log, snapshotCost } = this.#parts;
    return this.#history(head, snapshotCost.price(head, log.headWeights()).wireBytes);
  }

  /** The log as if `head` were its newest version. */
  #history(head: Position, snapshotBytes: number): CatchUpHistory {
    const { log, signed } = this.#parts;
    return {
      head,
      signed,
      snapshotBytes,
      rootOf: (version) => log.rootOf(version),
      deltaBytesFrom: (base) => log.deltaBytesFrom(base, head.version),
    };
  }

  #head(): Position {
    const head = this.#parts.log.head();
    assert(head !== null, 'sessions start when there is a head');
    return head;
  }
}

/** Whether `error` says that there is no such way, or not now: the thread was lost, or the log has forgotten the run. */
export function isNoWay(error: unknown): error is FreshetError {
  return error instanceof FreshetError && (error.code === 'NOT_READY' || error.code === 'VERSION_UNKNOWN');
}
