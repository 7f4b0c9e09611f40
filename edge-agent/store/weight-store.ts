/**
 * The device's versions: what it holds, how it takes in new ones, how it goes back. One SQLite file, one process.
 *
 * The head's weights live in memory as well, with their digest. Memory is patched before the disk is written, because
 * only then is the root known; both happen inside one synchronous call, so nobody sees them apart:
 *
 *   decode → patch memory → compare root → commit {version, delta, undo, keyframe, pruning} → return
 *
 * Power loss or kill -9 before the commit is durable leaves the base on disk, after it the next version; the caller
 * acknowledges only after the return, so the hub never believes in more than the disk holds. A failure that is
 * survived takes the memory back first.
 */
import { assert } from '@freshet/protocol/assert';
import type { HashHelper } from '@freshet/protocol/blake3/shared-climb';
import type { SparseDelta } from '@freshet/protocol/delta';
import { decodeDeltaPayload, encodeDeltaPayload } from '@freshet/protocol/delta-payload';
import { type ErrorCode, FreshetError } from '@freshet/protocol/errors';
import { type LineId, type Position, samePosition, type WeightsVersion } from '@freshet/protocol/ids';
import type { Model } from '@freshet/protocol/model';
import type { DeltaOutcome, ReceivedDelta, SnapshotOutcome } from '../core/outcomes.ts';
import { AgentStateTable } from './agent-state-table.ts';
import { FeedbackTable } from './feedback-table.ts';
import { assertSameIdentity, insertIdentity, readIdentity, type StoreIdentity } from './model-table.ts';
import { ProvenWeights } from './proven-weights.ts';
import { PublisherTable } from './publisher-table.ts';
import { type RestoreSource, restoreWeights } from './restore.ts';
import { SnapshotTable } from './snapshot-table.ts';
import { openStoreDatabase, type StoreDatabase } from './store-database.ts';
import { corruptStore } from './store-errors.ts';
import { type VerifyReport, verifyStore } from './verify.ts';
import { type VersionInfo, VersionTable } from './version-table.ts';

export interface WeightStoreOptions {
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  /** Deltas between two keyframes: bounds what opening has to apply. */
  readonly snapshotEvery?: number;
  /** Versions to keep, the head included. */
  readonly keepVersions?: number;
  /** A second thread that helps to hash the head where much of it changes; absent: none. */
  readonly hashHelper?: HashHelper;
  /** Fail with CONFIG_INVALID rather than make a new file. */
  readonly mustExist?: boolean;
}

interface Head {
  readonly position: Position;
  /** Of that very position between any two calls. */
  readonly proven: ProvenWeights;
}

const SNAPSHOT_EVERY_DEFAULT = 100;
const KEEP_VERSIONS_DEFAULT = 1000;

/** More than one, so that a store opened with a lower `keepVersions` gets there. */
const PRUNED_PER_COMMIT_MAX = 4;

export class WeightStore {
  /** Whose versions this device takes. */
  readonly publisher: PublisherTable;
  /** Samples that wait to be sent to the hub. */
  readonly feedback: FeedbackTable;
  readonly #database: StoreDatabase;
  readonly #versions: VersionTable;
  readonly #snapshots: SnapshotTable;
  readonly #state: AgentStateTable;
  readonly #clock: () => number;
  readonly #snapshotEvery: number;
  readonly #keepVersions: number;
  readonly #hashHelper: HashHelper | null;
  #identity: StoreIdentity | null;
  #head: Head | null;

  /**
   * Opens the store at `path` for this process, making it if need be, and restores the head.
   * @throws CONFIG_INVALID, STORE_LOCKED, STORE_FOREIGN, STORE_NEWER, STORE_CORRUPT; the file is unchanged then.
   */
  static open(path: string, options: WeightStoreOptions): WeightStore {
    const database = openStoreDatabase(path, options.mustExist ?? false);
    try {
      return database.read(() => new WeightStore(database, options));
    } catch (cause) {
      database.close();
      throw cause;
    }
  }

  private constructor(database: StoreDatabase, options: WeightStoreOptions) {
    this.#database = database;
    this.publisher = new PublisherTable(database);
    this.feedback = new FeedbackTable(database, options.clock);
    this.#versions = new VersionTable(database.connection);
    this.#snapshots = new SnapshotTable(database.connection);
    this.#state = new AgentStateTable(database.connection);
    this.#clock = options.clock;
    this.#snapshotEvery = options.snapshotEvery ?? SNAPSHOT_EVERY_DEFAULT;
    this.#keepVersions = options.keepVersions ?? KEEP_VERSIONS_DEFAULT;
    this.#hashHelper = options.hashHelper ?? null;
    assert(this.#snapshotEvery >= 1 && this.#keepVersions >= 1, 'a store keeps at least its head');
    this.#identity = readIdentity(database);
    this.#head = this.#restoreHead();
  }

  /** The line and the model of this store; null until `adoptModel`. */
  get identity(): StoreIdentity | null {
    return this.#identity;
  }

  /**
   * Takes `model` as the one this store is for; keeps a reference to it. A no-op when it is already.
   * @throws LINE_MISMATCH, MODEL_MISMATCH, STORE_WRITE_FAILED
   */
  adoptModel(lineId: LineId, model: Model): void {
    const offered = { lineId, model };
    if (this.#identity !== null) {
      assertSameIdentity(this.#database.path, this.#identity, offered);
      return;
    }
    this.#database.write(() => insertIdentity(this.#database, offered));
    this.#identity = offered;
  }

  /** The newest stored version, null in a store without one. */
  head(): Position | null {
    return this.#head?.position ?? null;
  }

  /** The head's weights: the store's own memory. Read only, and only until the next commit changes them in place. */
  headWeights(): Float32Array {
    assert(this.#head !== null, 'a store without a version has no weights');
    return this.#head.proven.weights;
  }

  /**
   * Takes the full weights of a version above the head; `weights` is copied. After `adoptModel` only.
   * @throws STORE_WRITE_FAILED; nothing has changed then.
   */
  commitSnapshot(position: Position, weights: Float32Array): SnapshotOutcome {
    const { model } = this.#requireIdentity();
    const head = this.#head;
    if (weights.length !== model.elementCount) {
      return refused('SNAPSHOT_MALFORMED', `${weights.length} weights for a model of ${model.elementCount}`);
    }
    if (samePosition(position, this.head())) return { kind: 'duplicate' };
    if (head !== null && position.version < head.position.version) {
      return refused(
        'BASE_MISMATCH',
        `a snapshot of version ${position.version} cannot follow version ${head.position.version}`,
      );
    }
    const proven = new ProvenWeights(weights.slice(), model.digest, this.#hashHelper);
    const sameVersion = position.version === head?.position.version;
    if (sameVersion || proven.root(position.version) !== position.root) {
      return refused('ROOT_MISMATCH', `the snapshot of version ${position.version} has another root`);
    }
    const version = {
      position,
      base: null,
      bytes: weights.byteLength,
      receivedAtMs: this.#clock(),
      changedCount: weights.length,
    };
    this.#database.write(() => {
      // The chain that ends here would lose its way back with the memory of its head.
      if (head !== null) this.#snapshots.put(head.position.version, head.proven.weights, 'keyframe');
      this.#versions.insert(version);
      this.#snapshots.put(position.version, proven.weights, 'keyframe');
      this.#prune();
    });
    this.#head = { position, proven };
    return { kind: 'applied' };
  }

  /**
   * Takes the next version. Whatever the outcome, memory and disk agree afterwards.
   * @throws STORE_WRITE_FAILED; nothing has changed then.
   */
  commitDelta(received: ReceivedDelta): DeltaOutcome {
    const { model } = this.#requireIdentity();
    const head = this.#head;
    if (head === null) return { kind: 'gap', head: null };
    if (received.base !== head.position.version) {
      const known = received.next <= head.position.version ? this.#find(received.next) : null;
      return known?.root === received.root ? { kind: 'duplicate' } : { kind: 'gap', head: head.position };
    }
    if (received.next <= received.base) {
      return refused('DELTA_MALFORMED', `a delta from version ${received.base} to ${received.next}`);
    }
    let delta: SparseDelta;
    try {
      delta = decodeDeltaPayload(received.payload, head.proven.weights, model);
    } catch (error) {
      if (error instanceof FreshetError) return { kind: 'refused', error };
      throw error;
    }
    const undo = head.proven.apply(delta);
    if (head.proven.root(received.next) !== received.root) {
      takeBack(head, undo);
      return refused('ROOT_MISMATCH', `the delta to version ${received.next} leads to another root`);
    }
    const position = { version: received.next, root: received.root };
    try {
      this.#database.write(() => this.#insertDelta(received, delta, undo, head.proven.weights));
    } catch (cause) {
      // SQLite has rolled back. Should a failed sync have made the commit durable all the same, the next start finds
      // a version that was proven and not acknowledged, as after a crash right behind the commit.
      takeBack(head, undo);
      throw cause;
    }
    this.#head = { position, proven: head.proven };
    return { kind: 'applied', delta };
  }

  /**
   * The weights of a retained version in fresh memory, bit for bit what they were, proven by their root.
   * @throws VERSION_UNKNOWN, STORE_CORRUPT
   */
  weightsOf(version: WeightsVersion): Float32Array {
    const entries = this.versions();
    const target = entries.find((entry) => entry.version === version) ?? null;
    if (target === null) throw this.#unknownVersion(version);
    return restoreWeights(this.#restoreSource(), entries, target, this.headWeights()).weights;
  }

  /** All retained versions, ascending. Squashed and pruned ones are missing. */
  versions(): VersionInfo[] {
    return this.#database.read(() => this.#versions.all());
  }

  /** Version and root of a retained version. @throws VERSION_UNKNOWN */
  position(version: WeightsVersion): Position {
    const position = this.#database.read(() => this.#versions.position(version));
    if (position === null) throw this.#unknownVersion(version);
    return position;
  }

  /** The version chosen to be served whatever arrives, or null. */
  pinned(): WeightsVersion | null {
    return this.#database.read(() => this.#state.pinned());
  }

  /**
   * Chooses `version` to be served, and keeps it as long as it is chosen.
   * @throws VERSION_UNKNOWN, VERSION_QUARANTINED, STORE_CORRUPT, STORE_WRITE_FAILED; nothing has changed then.
   */
  pin(version: WeightsVersion): void {
    const target = this.#find(version);
    if (target === null) throw this.#unknownVersion(version);
    if (target.state === 'quarantined') {
      throw new FreshetError(
        'VERSION_QUARANTINED',
        `version ${version} is quarantined (${target.reason}): choose another version`,
        { details: { version } },
      );
    }
    if (version === this.pinned()) return;
    const weights = this.weightsOf(version);
    this.#database.write(() => {
      this.#releasePin();
      // The versions around it will be pruned while it stays.
      this.#snapshots.put(version, weights, 'pin');
      this.#state.pin(version);
    });
  }

  /** Goes back to serving the newest version. @throws STORE_WRITE_FAILED */
  unpin(): void {
    if (this.pinned() !== null) this.#database.write(() => this.#releasePin());
  }

  /** What should be served: the pinned version, else the newest that is not quarantined; null if there is none. */
  target(): Position | null {
    return this.#database.read(() => {
      const pinned = this.#state.pinned();
      return pinned === null ? this.#versions.newestServable() : this.#versions.position(pinned);
    });
  }

  /**
   * Marks `version` as one that must not be served, and ends its pin. It stays the base of the versions after it.
   * @throws VERSION_UNKNOWN, STORE_WRITE_FAILED
   */
  quarantine(version: WeightsVersion, reason: string): void {
    if (this.#find(version) === null) throw this.#unknownVersion(version);
    this.#database.write(() => {
      this.#versions.quarantine(version, reason);
      if (this.#state.pinned() === version) this.#releasePin();
    });
  }

  /** Number of the last operator's command that was carried out; 0 before the first. */
  lastCommandId(): number {
    return this.#database.read(() => this.#state.lastCommandId());
  }

  setLastCommandId(id: number): void {
    assert(Number.isSafeInteger(id) && id >= 0, 'a command id is a non-negative integer');
    this.#database.write(() => this.#state.setLastCommandId(id));
  }

  /** Checks the whole file, and every retained version against its root, from disk. Damage is in the report. */
  verify(): VerifyReport {
    return verifyStore(this.#database, this.#identity === null ? null : this.#restoreSource());
  }

  /** Ends all use of the store and lets another process have it. */
  close(): void {
    this.#database.close();
  }

  #restoreHead(): Head | null {
    const newest = this.#versions.newest();
    if (newest === null) return null;
    if (this.#identity === null) throw corruptStore(this.#database.path, 'it has versions but no model');
    const entries = this.#versions.all();
    const proven = restoreWeights(this.#restoreSource(), entries, entries.at(-1)!, null, this.#hashHelper);
    return { position: newest, proven };
  }

  /** The rows of a new head, whose weights are `weights`; part of a transaction. */
  #insertDelta(received: ReceivedDelta, delta: SparseDelta, undo: SparseDelta, weights: Float32Array): void {
    const { base, next, root, payload } = received;
    this.#versions.insert({
      position: { version: next, root },
      base,
      bytes: payload.length,
      receivedAtMs: this.#clock(),
      changedCount: delta.indices.length,
    });
    const { model } = this.#requireIdentity();
    this.#versions.insertDelta(next, { payload, undo: encodeDeltaPayload(undo, weights, model) });
    const keyframe = this.#snapshots.newestKeyframe();
    assert(keyframe !== null, 'a delta has a keyframe below it');
    if (this.#versions.countAfter(keyframe) >= this.#snapshotEvery) {
      this.#snapshots.put(next, weights, 'keyframe');
    }
    this.#prune();
  }

  #prune(): void {
    const keyframe = this.#snapshots.newestKeyframe();
    assert(keyframe !== null, 'the head has a keyframe at or below it');
    this.#versions.prune(this.#keepVersions, keyframe, this.#state.pinned(), PRUNED_PER_COMMIT_MAX);
  }

  /** Ends the pin and drops what was kept for it only; part of a transaction. */
  #releasePin(): void {
    const pinned = this.#state.pinned();
    if (pinned === null) return;
    this.#state.pin(null);
    // Above a version that stayed alone there may be none that starts from it: it then keeps its snapshot.
    const spare = this.#snapshots.purposeOf(pinned) === 'pin' && this.#versions.isReachableFromAbove(pinned);
    if (spare) this.#snapshots.delete(pinned);
  }

  #find(version: WeightsVersion): VersionInfo | null {
    return this.#database.read(() => this.#versions.find(version));
  }

  #restoreSource(): RestoreSource {
    const { model } = this.#requireIdentity();
    return { database: this.#database, model, versions: this.#versions, snapshots: this.#snapshots };
  }

  #requireIdentity(): StoreIdentity {
    assert(this.#identity !== null, 'the store has adopted a model');
    return this.#identity;
  }

  #unknownVersion(version: WeightsVersion): FreshetError {
    const stored = this.versions();
    const oldest = stored.at(0)?.version ?? null;
    const newest = stored.at(-1)?.version ?? null;
    const choice =
      oldest === null
        ? 'the store is empty'
        : `choose one of the ${stored.length} from ${oldest} to ${newest}`;
    return new FreshetError('VERSION_UNKNOWN', `version ${version} is not stored here: ${choice}`, {
      details: { version, oldest, newest, count: stored.length },
    });
  }
}

function refused(code: ErrorCode, message: string): { kind: 'refused'; error: FreshetError } {
  return { kind: 'refused', error: new FreshetError(code, message) };
}

function takeBack(head: Head, undo: SparseDelta): void {
  head.proven.apply(undo);
  assert(
    head.proven.root(head.position.version) === head.position.root,
    'undoing a delta gives the head back',
  );
}
