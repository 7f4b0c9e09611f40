/**
 * Encoded snapshots, shared by all sessions that need one at about the same time. The head moves on while a slow link
 * takes its snapshot, so each copy in memory stands for one version; the pool bounds how many there are. A session
 * that joins an older copy catches up with deltas afterwards.
 */
import { assert } from '@freshet/protocol/assert';
import { type Position, samePosition, type WeightsVersion } from '@freshet/protocol/ids';
import type { VersionLog } from '../history/version-log.ts';
import { EncodedSnapshot } from './encoded-snapshot.ts';
import type { Signer } from './signer.ts';

/** A share of a snapshot in memory. */
export interface SnapshotLease {
  readonly snapshot: EncodedSnapshot;
  /** Gives the share back; the last one frees the memory. Once per lease. */
  release(): void;
}

interface PooledSnapshot {
  readonly snapshot: EncodedSnapshot;
  leaseCount: number;
}

/** Copies of the weights in memory at a time. */
const SNAPSHOTS_MAX = 2;

/** A copy is shared with newcomers while the deltas since then are at most this share of its bytes. */
const STALENESS_MAX = 1 / 8;

export class SnapshotPool {
  readonly #log: VersionLog;
  readonly #signer: Signer;
  /** By version, ascending. */
  readonly #snapshots: PooledSnapshot[] = [];

  constructor(log: VersionLog, signer: Signer) {
    this.#log = log;
    this.#signer = signer;
  }

  /**
   * A snapshot above `after` (any, where null): the newest copy if it is recent, else the head. Null when the pool is
   * full of copies that are too old: ask again after a release.
   */
  lease(after: WeightsVersion | null): SnapshotLease | null {
    const newest = this.#snapshots.at(-1);
    const version = newest?.snapshot.position.version;
    const usable = version !== undefined && (after === null || version > after);
    if (newest !== undefined && usable && this.#isRecent(version)) return this.#share(newest);
    if (this.hasRoom) return this.#share(this.#takeHead());
    return newest !== undefined && usable ? this.#share(newest) : null;
  }

  /** The snapshot of exactly `position` where it is in memory, or may be made of the head; else null. */
  leaseOf(position: Position): SnapshotLease | null {
    const pooled = this.#find(position);
    if (pooled !== null) return this.#share(pooled);
    return this.hasRoom && samePosition(position, this.#log.head()) ? this.#share(this.#takeHead()) : null;
  }

  /** Whether another copy of the weights may be in memory. */
  get hasRoom(): boolean {
    return this.#snapshots.length < SNAPSHOTS_MAX;
  }

  /** Takes in an older version, of which there is no copy; `weights` are copied. Only while it has room. */
  leaseOld(position: Position, weights: Float32Array): SnapshotLease {
    assert(this.hasRoom && this.#find(position) === null, 'room for another version');
    return this.#share(this.#take(position, weights));
  }

  /** The copy of `position` that is in memory, or null. Not leased: it may go at any time. */
  copyOf(position: Position): EncodedSnapshot | null {
    return this.#find(position)?.snapshot ?? null;
  }

  #find(position: Position): PooledSnapshot | null {
    return this.#snapshots.find(({ snapshot }) => samePosition(snapshot.position, position)) ?? null;
  }

  #isRecent(version: WeightsVersion): boolean {
    const sizes = this.#log.deltaBytesFrom(version);
    if (sizes === null) return false;
    const bytesMax = this.#log.headWeights().byteLength * STALENESS_MAX;
    let bytes = 0;
    for (const deltaBytes of sizes) {
      bytes += deltaBytes;
      if (bytes > bytesMax) return false;
    }
    return true;
  }

  #takeHead(): PooledSnapshot {
    const position = this.#log.head();
    assert(position !== null, 'sessions start when there is a head');
    return this.#take(position, this.#log.headWeights());
  }

  #take(position: Position, weights: Float32Array): PooledSnapshot {
    const model = this.#log.model();
    assert(model !== null, 'a log with a head has a model');
    const proof = this.#signer.prove(model.digest, position);
    const pooled = { snapshot: new EncodedSnapshot(position, proof, weights), leaseCount: 0 };
    this.#snapshots.push(pooled);
    this.#snapshots.sort((left, right) => left.snapshot.position.version - right.snapshot.position.version);
    return pooled;
  }

  #share(pooled: PooledSnapshot): SnapshotLease {
    pooled.leaseCount++;
    let released = false;
    return {
      snapshot: pooled.snapshot,
      release: () => {
        assert(!released, 'a lease is released once');
        released = true;
        pooled.leaseCount--;
        if (pooled.leaseCount === 0) this.#snapshots.splice(this.#snapshots.indexOf(pooled), 1);
      },
    };
  }
}
