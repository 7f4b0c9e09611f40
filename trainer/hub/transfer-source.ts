/**
 * Turns "this agent is there" into frames that take it to the head. What leads from one version to the head is
 * planned and encoded once, however many agents stand at that version: for a live fleet that is one encoding per
 * publish, for agents that lag alike one squash.
 */
import { assert } from '@freshet/protocol/assert';
import type { Position, WeightsVersion } from '@freshet/protocol/ids';
import type { Model } from '@freshet/protocol/model';
import {
  type CatchUpHistory,
  type CatchUpLimits,
  type CatchUpWays,
  planCatchUp,
  weighCatchUp,
} from '../core/catch-up-plan.ts';
import { snapshotWireBytes } from '../core/frame-bytes.ts';
import type { VersionLog } from '../history/version-log.ts';
import { encodeDeltaFrame } from './frame.ts';
import type { Signer } from './signer.ts';
import { type SnapshotLease, SnapshotPool } from './snapshot-pool.ts';

export type Transfer =
  /** One frame that leads to `position`, shared with other sessions. */
  | {
      readonly kind: 'frame';
      readonly traffic: 'delta' | 'squash';
      readonly position: Position;
      readonly frame: Buffer;
    }
  /** The stored deltas up to `through`, taken one by one from `storedDelta`. */
  | { readonly kind: 'chain'; readonly through: WeightsVersion }
  | { readonly kind: 'snapshot'; readonly lease: SnapshotLease };

type Prepared = Exclude<Transfer, { kind: 'snapshot' }> | { readonly kind: 'snapshot' };
type FrameTransfer = Extract<Transfer, { kind: 'frame' }>;

/** Ways to one head that are kept; least recently used ones go. */
const PREPARED_MAX = 16;
const PREPARED_BYTES_MAX = 64 * 1024 * 1024;

export class TransferSource {
  readonly #log: VersionLog;
  readonly #limits: CatchUpLimits;
  readonly #signer: Signer;
  readonly #snapshots: SnapshotPool;
  /** Ways to `#preparedFor` by where they start. They all expire with the next publish. */
  readonly #prepared = new Map<WeightsVersion, Prepared>();
  #preparedFor: WeightsVersion | null = null;
  #preparedBytes = 0;

  constructor(log: VersionLog, limits: CatchUpLimits, signer: Signer) {
    this.#log = log;
    this.#limits = limits;
    this.#signer = signer;
    this.#snapshots = new SnapshotPool(log, signer);
  }

  /**
   * The next transfer for an agent at `cursor`, which is not the head. Null when it needs a snapshot and has to wait
   * for others to finish theirs. The caller releases the lease of a snapshot.
   */
  next(cursor: Position | null, snapshotDue: boolean): Transfer | null {
    const prepared: Prepared =
      cursor === null || snapshotDue ? { kind: 'snapshot' } : this.#preparedFrom(cursor);
    if (prepared.kind !== 'snapshot') return prepared;
    const lease = this.#snapshots.lease(cursor?.version ?? null);
    return lease === null ? null : { kind: 'snapshot', lease };
  }

  /** The delta that follows `base` as a frame of its own, or null when the log no longer holds it. */
  storedDelta(base: WeightsVersion): FrameTransfer | null {
    const stored = this.#log.deltaAfter(base);
    if (stored === null) return null;
    const position = { version: stored.next, root: stored.root };
    const isLive = stored.next === this.#head().version;
    const frame = encodeDeltaFrame(this.#model().digest, {
      base,
      next: stored.next,
      proof: this.#signer.prove(this.#model().digest, position),
      payload: stored.payload,
      trafficClass: isLive ? 'live' : 'catch-up',
    });
    return { kind: 'frame', traffic: 'delta', position, frame };
  }

  #preparedFrom(cursor: Position): Prepared {
    const head = this.#head();
    if (this.#preparedFor !== head.version) this.#forgetAll(head.version);
    const known = this.#prepared.get(cursor.version);
    if (known !== undefined) {
      this.#prepared.delete(cursor.version);
      this.#prepared.set(cursor.version, known);
      return known;
    }
    const prepared = this.#prepare(cursor, head);
    this.#prepared.set(cursor.version, prepared);
    this.#preparedBytes += frameBytes(prepared);
    this.#forgetOldest();
    return prepared;
  }

  #prepare(cursor: Position, head: Position): Prepared {
    const plan = planCatchUp(cursor, this.#history(head, this.#log.headWeights()), this.#limits);
    assert(plan.kind !== 'current', 'an agent at the head needs no transfer');
    switch (plan.kind) {
      case 'chain': {
        const only = cursor.version + 1 === head.version ? this.storedDelta(cursor.version) : null;
        return only ?? { kind: 'chain', through: head.version };
      }
      case 'squash': {
        const frame = encodeDeltaFrame(this.#model().digest, {
          base: plan.base,
          next: head.version,
          proof: this.#signer.prove(this.#model().digest, head),
          payload: plan.payload,
          trafficClass: 'catch-up',
        });
        return { kind: 'frame', traffic: 'squash', position: head, frame };
      }
      case 'snapshot':
        return { kind: 'snapshot' };
    }
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

  /** The log as if `head`, whose weights are `headWeights`, were its newest version. */
  #history(head: Position, headWeights: Float32Array): CatchUpHistory {
    const log = this.#log;
    const signed = this.#signer.publicKey !== null;
    return {
      layout: this.#model(),
      head,
      headWeights,
      signed,
      snapshotBytes: snapshotWireBytes({
        version: head.version,
        elementCount: headWeights.length,
        signed,
      }),
      rootOf: (version) => log.rootOf(version),
      deltaBytesFrom: (base) => log.deltaBytesFrom(base, head.version),
      takeBack: (weights, base) => log.takeBack(weights, head.version, base),
    };
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

  #forgetAll(preparedFor: WeightsVersion): void {
    this.#prepared.clear();
    this.#preparedBytes = 0;
    this.#preparedFor = preparedFor;
  }

  #forgetOldest(): void {
    for (const [version, prepared] of this.#prepared) {
      const fits = this.#prepared.size <= PREPARED_MAX && this.#preparedBytes <= PREPARED_BYTES_MAX;
      if (fits || this.#prepared.size === 1) return;
      this.#prepared.delete(version);
      this.#preparedBytes -= frameBytes(prepared);
    }
  }
}

function frameBytes(prepared: Prepared): number {
  return prepared.kind === 'frame' ? prepared.frame.length : 0;
}
