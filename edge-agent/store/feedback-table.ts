/**
 * The queue of labelled samples that wait to be sent to the hub. What `add` has taken is on disk; a sample leaves when the
 * hub has it, or will never take it, and in the latter case it is remembered why.
 */
import { isCompatible, type WireSample } from '@freshet/protocol/feedback';
import { asSampleId, type SampleId } from '@freshet/protocol/ids';
import type { SampleFormat } from '@freshet/protocol/sample-format';
import type Database from 'better-sqlite3';
import { type FeedbackLimits, FeedbackState, type FeedbackTotals } from './feedback-state.ts';
import type { StoreDatabase } from './store-database.ts';

/** A sample of the queue's format. */
export interface NamedSample {
  /** What the client calls it; null where it has not said. */
  readonly name: string | null;
  readonly wire: WireSample;
}

export type AddOutcome =
  /** `duplicates` are in the queue already. */
  | { readonly kind: 'taken'; readonly taken: number; readonly duplicates: number; readonly waiting: number }
  /** They do not fit: none was taken. */
  | { readonly kind: 'full'; readonly waiting: number };

export interface FeedbackStatus extends FeedbackTotals, FeedbackLimits {
  /** Null before a hub has said what samples look like. */
  readonly format: SampleFormat | null;
  /** Milliseconds since 1970; null while none waits. */
  readonly oldestQueuedAtMs: number | null;
  /** The newest first, of those that are still remembered. */
  readonly recentlyRefused: readonly RefusedFeedback[];
}

export interface RefusedFeedback {
  readonly name: string | null;
  readonly queuedAtMs: number;
  readonly refusedAtMs: number;
  readonly reason: string;
}

/** What a row takes beside its sample: ids, time, lengths, index. */
export const FEEDBACK_ROW_BYTES = 128;

/** Reasons that are remembered, of those refused last. */
export const REFUSED_KEPT = 200;

interface QueueRow {
  readonly id: Buffer;
  readonly label: number | null;
  readonly target: Buffer | null;
  readonly input: Buffer;
}

const OTHER_FORMAT = 'the trainer takes other samples than when it was queued';

export class FeedbackTable {
  readonly #database: StoreDatabase;
  readonly #clock: () => number;
  readonly #state: FeedbackState;

  /** `clock`: milliseconds since 1970. */
  constructor(database: StoreDatabase, clock: () => number) {
    this.#database = database;
    this.#clock = clock;
    this.#state = new FeedbackState(database.connection);
  }

  /** What samples look like; null before a hub has said so. @throws STORE_CORRUPT */
  format(): SampleFormat | null {
    return this.#database.read(() => this.#state.format());
  }

  /** @throws STORE_CORRUPT */
  status(): FeedbackStatus {
    return this.#database.read(() => ({
      format: this.#state.format(),
      ...this.#state.limits(),
      ...this.#state.totals(),
      oldestQueuedAtMs: this.#oldest(),
      recentlyRefused: this.#recentlyRefused(),
    }));
  }

  /** @throws STORE_CORRUPT */
  totals(): FeedbackTotals {
    return this.#database.read(() => this.#state.totals());
  }

  /** @throws STORE_CORRUPT */
  limits(): FeedbackLimits {
    return this.#database.read(() => this.#state.limits());
  }

  /** Bounds the queue from now on; what is in it stays. @throws STORE_WRITE_FAILED */
  setLimits(limits: FeedbackLimits): void {
    const before = this.limits();
    if (before.samplesMax === limits.samplesMax && before.bytesMax === limits.bytesMax) return;
    this.#database.write(() => this.#state.setLimits(limits));
  }

  /**
   * The hub takes samples of `format`. Samples in the queue that are none of it are refused; returns how many.
   * @throws STORE_WRITE_FAILED
   */
  adoptFormat(format: SampleFormat): number {
    const before = this.format();
    if (JSON.stringify(before) === JSON.stringify(format)) return 0;
    return this.#database.write(() => {
      this.#state.setFormat(format);
      const unfit = before === null ? [] : this.#unfit(before, format);
      for (const id of unfit) this.#refuse(id, OTHER_FORMAT);
      this.#state.count({ refused: unfit.length });
      this.#forgetRefused();
      return unfit.length;
    });
  }

  /** Takes all of `samples` or none; each id once. @throws STORE_WRITE_FAILED, STORE_CORRUPT; none was taken then */
  add(samples: readonly NamedSample[]): AddOutcome {
    return this.#database.write(() => {
      const fresh = this.#unknownOf(samples);
      const { samplesMax, bytesMax } = this.#state.limits();
      const { waiting, waitingBytes } = this.#state.totals();
      const bytes = fresh.reduce((sum, { wire }) => sum + bytesOf(wire), 0);
      const isFull = waiting + fresh.length > samplesMax || waitingBytes + bytes > bytesMax;
      if (isFull && fresh.length > 0) return { kind: 'full', waiting };
      const queuedAtMs = this.#clock();
      for (const sample of fresh) this.#insert(sample, queuedAtMs);
      this.#state.count({ waiting: fresh.length, waitingBytes: bytes });
      return {
        kind: 'taken',
        taken: fresh.length,
        duplicates: samples.length - fresh.length,
        waiting: waiting + fresh.length,
      };
    });
  }

  /** The oldest samples, `countMax` and, but for the first one, `bytesMax` in all at most. @throws STORE_CORRUPT */
  oldest(countMax: number, bytesMax: number): WireSample[] {
    return this.#database.read(() => {
      const rows = this.#prepare<[number], QueueRow>(
        'SELECT id, label, target, input FROM feedback_queue ORDER BY serial LIMIT ?',
      );
      const samples: WireSample[] = [];
      let bytes = 0;
      for (const row of rows.iterate(countMax)) {
        const wire = wireOf(row);
        bytes += bytesOf(wire);
        if (samples.length > 0 && bytes > bytesMax) break;
        samples.push(wire);
      }
      return samples;
    });
  }

  /**
   * The hub has all of `batch` but those that it refuses, by their places in it; `taken` and `duplicates` add up to them.
   * @throws STORE_WRITE_FAILED; the samples are still in the queue then
   */
  settle(
    batch: readonly WireSample[],
    outcome: {
      readonly taken: number;
      readonly duplicates: number;
      readonly refused: readonly { readonly index: number; readonly reason: string }[];
    },
  ): void {
    const { taken, duplicates, refused } = outcome;
    this.#database.write(() => {
      for (const { index, reason } of refused) this.#refuse(batch[index]!.id, reason);
      const reasons = new Set(refused.map(({ index }) => index));
      for (const [index, { id }] of batch.entries()) if (!reasons.has(index)) this.#remove(id);
      this.#state.count({ taken, duplicates, refused: refused.length });
      this.#forgetRefused();
    });
  }

  /** Those that are not in the queue, each once. */
  #unknownOf(samples: readonly NamedSample[]): NamedSample[] {
    const find = this.#prepare<[Buffer], number>('SELECT 1 FROM feedback_queue WHERE id = ?').pluck();
    const ids = new Set<SampleId>();
    return samples.filter(({ wire: { id } }) => {
      if (ids.has(id) || find.get(Buffer.from(id, 'hex')) !== undefined) return false;
      ids.add(id);
      return true;
    });
  }

  #insert({ name, wire }: NamedSample, queuedAtMs: number): void {
    const { id, target, input } = wire;
    const [label, vector] = typeof target === 'number' ? [BigInt(target), null] : [null, target];
    this.#prepare(
      'INSERT INTO feedback_queue (id, name, queued_at_ms, label, target, input) VALUES (?, ?, ?, ?, ?, ?)',
    ).run(Buffer.from(id, 'hex'), name, queuedAtMs, label, vector, input);
  }

  /** Samples of the queue, which are all of format `before`, that are none of `after`. */
  #unfit(before: SampleFormat, after: SampleFormat): SampleId[] {
    const classCount = after.target.kind === 'class' ? after.target.classCount : 0;
    const rows = isCompatible(before, after)
      ? this.#prepare<[number], Buffer>('SELECT id FROM feedback_queue WHERE label >= ?')
          .pluck()
          .all(classCount)
      : this.#prepare<[], Buffer>('SELECT id FROM feedback_queue').pluck().all();
    return rows.map(idOf);
  }

  #refuse(id: SampleId, reason: string): void {
    this.#prepare(
      `INSERT INTO feedback_refused (name, queued_at_ms, refused_at_ms, reason)
         SELECT name, queued_at_ms, ?, ? FROM feedback_queue WHERE id = ?`,
    ).run(this.#clock(), reason, Buffer.from(id, 'hex'));
    this.#remove(id);
  }

  #remove(id: SampleId): void {
    const row = this.#prepare<[Buffer], QueueRow>(
      'DELETE FROM feedback_queue WHERE id = ? RETURNING id, label, target, input',
    ).get(Buffer.from(id, 'hex'));
    if (row !== undefined) this.#state.count({ waiting: -1, waitingBytes: -bytesOf(wireOf(row)) });
  }

  #forgetRefused(): void {
    this.#prepare(
      `DELETE FROM feedback_refused WHERE serial <=
         (SELECT serial FROM feedback_refused ORDER BY serial DESC LIMIT 1 OFFSET ${REFUSED_KEPT})`,
    ).run();
  }

  #oldest(): number | null {
    const first = this.#prepare<[], number>(
      'SELECT queued_at_ms FROM feedback_queue ORDER BY serial LIMIT 1',
    );
    return first.pluck().get() ?? null;
  }

  #recentlyRefused(): RefusedFeedback[] {
    return this.#prepare<[], RefusedFeedback>(
      `SELECT name, queued_at_ms AS queuedAtMs, refused_at_ms AS refusedAtMs, reason
         FROM feedback_refused ORDER BY serial DESC`,
    ).all();
  }

  #prepare<Parameters extends unknown[], Row = unknown>(sql: string): Database.Statement<Parameters, Row> {
    return this.#database.connection.prepare<Parameters, Row>(sql);
  }
}

function wireOf({ id, label, target, input }: QueueRow): WireSample {
  // One of the two is there, as the table demands.
  return { id: idOf(id), input, target: label ?? target ?? 0 };
}

function idOf(id: Buffer): SampleId {
  return asSampleId(id.toString('hex'));
}

function bytesOf({ input, target }: WireSample): number {
  return input.length + (typeof target === 'number' ? 0 : target.length) + FEEDBACK_ROW_BYTES;
}
