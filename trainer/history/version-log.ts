/**
 * The hub's memory: one line of weight versions, durable, and the weights of its head. Everything that is sent to
 * agents comes out of it, so a version is on disk before anyone hears of it.
 *
 * The log keeps its own copy of the head's weights and applies every delta to it, exactly as an agent will. A delta
 * whose root does not come out is refused here, before it can reach a device.
 *
 *   open ──setModel──▶ model known ──appendSnapshot──▶ head 1 ──appendDelta──▶ head 2 ──▶ …
 */
import { randomBytes } from 'node:crypto';
import { assert } from '@freshet/protocol/assert';
import { applyDelta, type SparseDelta } from '@freshet/protocol/delta';
import { decodeDeltaPayload, encodeDeltaPayload } from '@freshet/protocol/delta-payload';
import { digestWeights, WeightsDigest } from '@freshet/protocol/digest';
import { FreshetError } from '@freshet/protocol/errors';
import { asLineId, type LineId, type Position, type Root, type WeightsVersion } from '@freshet/protocol/ids';
import type { Model } from '@freshet/protocol/model';
import { AgentLedger } from './version-log-agents.ts';
import { CommandQueue } from './version-log-commands.ts';
import { corrupt, type LogDatabase, openLogDatabase } from './version-log-database.ts';
import { PublisherKeys } from './version-log-keys.ts';
import { type StoredDelta, type VersionInfo, VersionLogRows, type VersionNote } from './version-log-rows.ts';

const LINE_ID_BYTES = 16;
const KEYFRAME_EVERY_DEFAULT = 100;

/** Versions that stay restorable where nothing else is asked for. */
export const KEEP_VERSIONS_DEFAULT = 10_000;

/** Runs from one keyframe to the next that go with one append, so that none stalls on a log that kept all until now. */
const KEYFRAMES_FORGOTTEN_MAX = 2;

export interface VersionLogOptions {
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  /** All weights are stored every so many versions: bounds the replay at restart and in `weightsOf`. */
  readonly keyframeEvery?: number;
  /**
   * At least so many of the newest versions can be restored; older ones go when a keyframe allows it. Null keeps all;
   * absent is KEEP_VERSIONS_DEFAULT.
   */
  readonly keepVersions?: number | null;
}

export interface DeltaToAppend {
  readonly base: WeightsVersion;
  readonly next: WeightsVersion;
  /** Root of `next`, as the learner computed it. */
  readonly root: Root;
  readonly payload: Uint8Array;
  readonly note: VersionNote;
}

interface HeadState {
  readonly position: Position;
  readonly weights: Float32Array;
  readonly digest: WeightsDigest;
}

export class VersionLog {
  readonly lineId: LineId;
  /** Orders to agents, in the same file. */
  readonly commands: CommandQueue;
  /** What is known of agents, in the same file. */
  readonly agents: AgentLedger;
  /** Who has signed this line, in the same file. */
  readonly publisherKeys: PublisherKeys;
  readonly #database: LogDatabase;
  readonly #rows: VersionLogRows;
  readonly #clock: () => number;
  readonly #keyframeEvery: number;
  readonly #keepVersions: number | null;
  #model: Model | null;
  #head: HeadState | null;

  /**
   * Opens the log at `path`, or starts a new line there.
   * @throws STORE_FOREIGN, STORE_NEWER, STORE_LOCKED, STORE_CORRUPT, STORE_WRITE_FAILED
   */
  static open(path: string, options: VersionLogOptions & { readonly lockWaitMs?: number }): VersionLog {
    const { lockWaitMs } = options;
    const database = openLogDatabase(path, lockWaitMs === undefined ? {} : { lockWaitMs });
    try {
      return new VersionLog(database, options);
    } catch (error) {
      database.close();
      throw error;
    }
  }

  /** Takes over `database` and closes it in `close`. @throws STORE_CORRUPT, STORE_WRITE_FAILED */
  constructor(database: LogDatabase, options: VersionLogOptions) {
    this.#database = database;
    this.#clock = options.clock;
    this.#keyframeEvery = options.keyframeEvery ?? KEYFRAME_EVERY_DEFAULT;
    this.#keepVersions = options.keepVersions === undefined ? KEEP_VERSIONS_DEFAULT : options.keepVersions;
    assert(this.#keyframeEvery >= 1, 'a keyframe every version at most');
    assert(this.#keepVersions === null || this.#keepVersions >= 1, 'the head is always kept');
    this.#rows = new VersionLogRows(database);
    this.commands = new CommandQueue(database, options.clock);
    this.agents = new AgentLedger(database);
    this.publisherKeys = new PublisherKeys(database, options.clock);
    this.lineId = database.read(() => this.#rows.lineId()) ?? this.#startLine();
    this.#model = database.read(() => this.#rows.model());
    this.#head = database.read(() => this.#restoreHead());
  }

  model(): Model | null {
    return this.#model;
  }

  /**
   * Names the model whose weights this line holds; once per line, and again only with the same model.
   * @throws MODEL_MISMATCH for another model.
   */
  setModel(model: Model): void {
    if (this.#model !== null) {
      if (this.#model.digest === model.digest) return;
      throw new FreshetError(
        'MODEL_MISMATCH',
        `${this.#database.path} holds versions of another model (${this.#model.modelId}): ` +
          'use another --state directory',
        { details: { stored: this.#model.digest, given: model.digest } },
      );
    }
    this.#database.write(() => this.#rows.insertModel(model));
    this.#model = model;
  }

  /** Newest version, or null before the first. */
  head(): Position | null {
    return this.#head?.position ?? null;
  }

  /** Weights of the head: the log's own array, changed by the next append. Read only; copy what must last. */
  headWeights(): Float32Array {
    assert(this.#head !== null, 'the log has a head');
    return this.#head.weights;
  }

  /**
   * Starts the line with version 1. `weights` are copied.
   * @throws ROOT_MISMATCH when `position.root` is not their root; STORE_WRITE_FAILED.
   */
  appendSnapshot(position: Position, weights: Float32Array, note: VersionNote): void {
    const model = this.#modelOrFail();
    assert(this.#head === null, 'a line has one first version');
    assert(position.version === 1, 'the first version is 1');
    assert(weights.length === model.elementCount, 'as many weights as the model has');
    const copy = weights.slice();
    const digest = new WeightsDigest(copy, model.digest);
    const actual = digest.root(position.version);
    if (actual !== position.root) throw rootMismatch(position, actual);
    this.#database.write(() => {
      this.#insertVersion(position, null, note);
      this.#rows.insertSnapshot(position.version, copy);
    });
    this.#head = { position, weights: copy, digest };
  }

  /**
   * Makes `next` the head; durable on return. When it throws, log and weights are as before.
   * @throws DELTA_MALFORMED, ROOT_MISMATCH: a bug upstream. STORE_WRITE_FAILED.
   */
  appendDelta({ base, next, root, payload, note }: DeltaToAppend): void {
    const model = this.#modelOrFail();
    const head = this.#head;
    assert(head !== null, 'the line has a first version');
    assert(base === head.position.version, 'a delta starts at the head');
    assert(next === base + 1, 'versions grow by one');
    const delta = decodeDeltaPayload(payload, head.weights, model);
    const undo = applyDelta(head.weights, delta);
    head.digest.update(delta.indices);
    const position = { version: next, root };
    try {
      const actual = head.digest.root(next);
      if (actual !== root) throw rootMismatch(position, actual);
      const undoPayload = encodeDeltaPayload(undo, head.weights, model);
      this.#database.write(() => {
        this.#insertVersion(position, payload.length, note);
        this.#rows.insertDelta(next, payload, undoPayload);
        this.#insertKeyframe(next, head.weights);
      });
    } catch (error) {
      applyDelta(head.weights, undo);
      head.digest.update(undo.indices);
      throw error;
    }
    this.#head = { ...head, position };
  }

  /** Root of a version, or null when the log does not hold it (any more). */
  rootOf(version: WeightsVersion): Root | null {
    const head = this.#head?.position;
    if (head?.version === version) return head.root;
    return this.#database.read(() => this.#rows.rootOf(version));
  }

  /** The deltas from `base` to the head in order, or null when the log lacks one of them. Read them before writing. */
  deltasFrom(base: WeightsVersion): IterableIterator<StoredDelta> | null {
    const head = this.head();
    if (head === null || !this.#hasRunFrom(base)) return null;
    return this.#rows.deltas(base, head.version);
  }

  /**
   * What takes version `from` back, version by version towards `base`: payloads of deltas without a gap, as many as come
   * to `bytesMax` and one at least. Empty where the log lacks the first.
   */
  undos(from: WeightsVersion, base: WeightsVersion, bytesMax: number): readonly Uint8Array[] {
    return this.#database.read(() => {
      const undos: Uint8Array[] = [];
      let bytes = 0;
      for (const { next, undo } of this.#rows.undos(from, base)) {
        if (next !== from - undos.length) break;
        undos.push(undo);
        bytes += undo.length;
        if (bytes >= bytesMax) break;
      }
      return undos;
    });
  }

  /** STORE_CORRUPT for this log: `cause` says how it showed. */
  corruption(cause: unknown): FreshetError {
    return corrupt(this.#database.path, cause);
  }

  /** Payload sizes of the deltas from `base` to `through`, the head where absent. Read them before writing. */
  deltaBytesFrom(base: WeightsVersion, through?: WeightsVersion): IterableIterator<number> | null {
    const head = this.head();
    if (head === null || !this.#hasRunFrom(base)) return null;
    return this.#rows.deltaBytes(base, through ?? head.version);
  }

  /** The delta that leads from `base` to the version after it, or null when the log does not hold it. */
  deltaAfter(base: WeightsVersion): StoredDelta | null {
    return this.#database.read(() => [...this.#rows.deltas(base, base + 1)][0] ?? null);
  }

  /** Newest first: at most `limit` versions, below `before` where given. */
  versions(limit: number, before: number = Number.MAX_SAFE_INTEGER): readonly VersionInfo[] {
    return this.#database.read(() => this.#rows.versions(limit, before));
  }

  /**
   * Weights of any version in the log: a new array, checked against its root.
   * @throws VERSION_UNKNOWN, STORE_CORRUPT
   */
  weightsOf(version: WeightsVersion): Float32Array {
    const root = this.rootOf(version);
    if (root === null) {
      throw new FreshetError('VERSION_UNKNOWN', `version ${version} is not in the log`, {
        details: { version },
      });
    }
    return this.#database.read(() => this.#restore({ version, root }));
  }

  close(): void {
    this.#database.close();
  }

  #modelOrFail(): Model {
    assert(this.#model !== null, 'the model is set before versions are appended');
    return this.#model;
  }

  #startLine(): LineId {
    const lineId = asLineId(randomBytes(LINE_ID_BYTES).toString('hex'));
    this.#database.write(() => this.#rows.insertLine(lineId, this.#clock()));
    return lineId;
  }

  #hasRunFrom(base: WeightsVersion): boolean {
    const head = this.head();
    return head !== null && base <= head.version && this.rootOf(base) !== null;
  }

  #insertVersion(position: Position, deltaBytes: number | null, note: VersionNote): void {
    this.#rows.insertVersion(position, this.#clock(), deltaBytes, note);
  }

  /** Where one is due; then older versions may go. */
  #insertKeyframe(version: WeightsVersion, weights: Float32Array): void {
    if (version % this.#keyframeEvery !== 0) return;
    this.#rows.insertSnapshot(version, weights);
    if (this.#keepVersions === null) return;
    const keepFrom = version - this.#keepVersions + 1;
    const floor = this.#rows.oldestSnapshots(keepFrom, KEYFRAMES_FORGOTTEN_MAX + 1).at(-1);
    if (floor !== undefined) this.#rows.pruneBelow(floor);
  }

  #restoreHead(): HeadState | null {
    const position = this.#rows.newest();
    if (position === null) return null;
    if (this.#model === null) throw this.#damaged('versions without a model');
    const weights = this.#restore(position);
    return { position, weights, digest: new WeightsDigest(weights, this.#model.digest) };
  }

  /** Nearest snapshot, then deltas, then proof. */
  #restore({ version, root }: Position): Float32Array {
    const model = this.#modelOrFail();
    const start = this.#rows.nearestSnapshot(version);
    if (start === null) throw this.#damaged(`no snapshot at or below version ${version}`);
    const weights = this.#rows.snapshot(start, model.elementCount);
    let reached: number = start;
    for (const { next, payload } of this.#rows.deltas(start, version)) {
      applyDelta(weights, this.#decodeStored(payload, weights));
      reached = next;
    }
    if (reached !== version) throw this.#damaged(`the deltas up to version ${version} are incomplete`);
    if (digestWeights(weights, model.digest, version) !== root) {
      throw this.#damaged(`version ${version} does not match its root`);
    }
    return weights;
  }

  #decodeStored(payload: Uint8Array, weights: Float32Array): SparseDelta {
    try {
      return decodeDeltaPayload(payload, weights, this.#modelOrFail());
    } catch (cause) {
      throw cause instanceof FreshetError ? corrupt(this.#database.path, cause) : cause;
    }
  }

  #damaged(what: string): FreshetError {
    return corrupt(this.#database.path, new Error(what));
  }
}

function rootMismatch(position: Position, actual: Root): FreshetError {
  return new FreshetError(
    'ROOT_MISMATCH',
    `version ${position.version} does not have the announced root: trainer and log disagree on the weights`,
    { details: { version: position.version, announced: position.root, actual } },
  );
}
