/**
 * Encoded snapshots, shared by all sessions that need one at about the same time. The head moves on while a slow link
 * takes its snapshot, so each copy in memory stands for one version; the pool bounds how many there are. A session
 * that joins an older copy catches up with deltas afterwards.
 */
import { assert } from '@freshet/protocol/assert';
import type { Position, Proof, WeightsVersion } from '@freshet/protocol/ids';
import { SNAPSHOT_CHUNK_BYTES } from '@freshet/protocol/limits';
import { snapshotChunkCount } from '../core/frame-bytes.ts';
import type { VersionLog } from '../history/version-log.ts';
import { encodeFrame } from './frame.ts';
import { type Signer, UNSIGNED } from './signer.ts';

/** A share of a snapshot in memory. `frames`: snapshotBegin and the chunks, read only. */
export interface SnapshotLease {
  readonly position: Position;
  readonly frames: readonly Buffer[];
  /** Gives the share back; the last one frees the memory. Once per lease. */
  release(): void;
}

interface PooledSnapshot {
  readonly position: Position;
  readonly frames: readonly Buffer[];
  leaseCount: number;
}

/** Copies of the weights in memory at a time. */
const SNAPSHOTS_MAX = 2;

/** A copy is shared with newcomers while the deltas since then are at most this share of its bytes. */
const STALENESS_MAX = 1 / 8;

export class SnapshotPool {
  readonly #log: VersionLog;
  readonly #signer: Signer;
  /** Oldest first. */
  readonly #snapshots: PooledSnapshot[] = [];

  constructor(log: VersionLog, signer: Signer = UNSIGNED) {
    this.#log = log;
    this.#signer = signer;
  }

  /**
   * A snapshot above `after` (any, where null): the newest copy if it is recent, else the head. Null when the pool is
   * full of copies that are too old: ask again after a release.
   */
  lease(after: WeightsVersion | null): SnapshotLease | null {
    const newest = this.#snapshots.at(-1);
    const usable = newest !== undefined && (after === null || newest.position.version > after);
    if (usable && this.#isRecent(newest.position.version)) return this.#share(newest);
    if (this.#snapshots.length < SNAPSHOTS_MAX) return this.#share(this.#takeHead());
    return usable ? this.#share(newest) : null;
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
    const model = this.#log.model();
    assert(model !== null, 'a log with a head has a model');
    const proof = this.#signer.prove(model.digest, position);
    const frames = encodeSnapshot(position.version, proof, this.#log.headWeights());
    const snapshot = { position, frames, leaseCount: 0 };
    this.#snapshots.push(snapshot);
    return snapshot;
  }

  #share(snapshot: PooledSnapshot): SnapshotLease {
    snapshot.leaseCount++;
    let released = false;
    return {
      position: snapshot.position,
      frames: snapshot.frames,
      release: () => {
        assert(!released, 'a lease is released once');
        released = true;
        snapshot.leaseCount--;
        if (snapshot.leaseCount === 0) this.#snapshots.splice(this.#snapshots.indexOf(snapshot), 1);
      },
    };
  }
}

function encodeSnapshot(version: WeightsVersion, proof: Proof, weights: Float32Array): Buffer[] {
  const bytes = new Uint8Array(weights.buffer, weights.byteOffset, weights.byteLength);
  const chunkCount = snapshotChunkCount(weights.length);
  const frames = [
    encodeFrame({
      type: 'snapshotBegin',
      version,
      proof,
      firstChunk: 0,
      traceparent: null,
    }),
  ];
  for (let index = 0; index < chunkCount; index++) {
    const chunk = bytes.subarray(index * SNAPSHOT_CHUNK_BYTES, (index + 1) * SNAPSHOT_CHUNK_BYTES);
    frames.push(encodeFrame({ type: 'snapshotChunk', index, bytes: chunk }));
  }
  return frames;
}
