/**
 * The learner's end of the sample log: brings in what the recipe's own source yields, reads, records which samples a step
 * has taken, and forgets.
 *
 * So that a killed run goes on to the same versions, bit for bit: a step is recorded before it is trained, hence a run
 * that starts from a checkpoint again takes the samples that it took then; and nothing is forgotten that a step after the
 * newest checkpoint may have drawn, hence `checkpointed` is what forgets. The order is
 *
 *   takeStep, train, takeStep, train, …, flush, write the checkpoint file, checkpointed
 *
 * and after a restart `keepOnly` with what the checkpoint's sampler knows, in case the run died before `checkpointed`.
 *
 * A learner whose trainer was killed may live on for some steps, beside the learner of the next trainer. The log belongs
 * to the one that opened it last; whatever the other one records or forgets from then on is refused with STORE_LOCKED.
 */
import { assert } from '@freshet/protocol/assert';
import { FreshetError } from '@freshet/protocol/errors';
import type { Sample, SampleFormat } from '@freshet/protocol/sample-format';
import { decodeSample } from './sample.ts';
import { damagedLog, openSampleDatabase, type SampleDatabase } from './sample-database.ts';
import { type LogState, SampleRows } from './sample-rows.ts';

/** When a version was published, and how much of the weights it was to carry. */
export interface PublicationRecord {
  /** Optimiser steps on the stream before it. */
  readonly step: number;
  readonly density: number;
}

export interface LearnerSampleLogOptions {
  readonly format: SampleFormat;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
  /** Ids of forgotten samples that are remembered: of those forgotten last. */
  readonly forgottenIdsMax?: number;
  /** How long to wait for the main process's transaction. */
  readonly lockWaitMs?: number;
}

/** A sample that was sent, or the place of one in the recipe's own source. */
export type StoredSample = Sample | { readonly sourceIndex: number };

/** 16 bytes each, twice: 32 MB of the file. */
export const FORGOTTEN_IDS_MAX = 500_000;

/**
 * Rows of one transaction, which the main process and its sockets wait for: some milliseconds. Those that arrive lie one
 * behind the other; of those that are forgotten each has pages of its own, in two tables and two indices.
 */
const ARRIVALS_PER_TRANSACTION = 1000;
const FORGOTTEN_PER_TRANSACTION = 200;

const SOURCE_ORIGIN = 'source';

export class LearnerSampleLog {
  readonly #format: SampleFormat;
  readonly #database: SampleDatabase;
  readonly #rows: SampleRows;
  readonly #clock: () => number;
  readonly #forgottenIdsMax: number;
  /** Ours among the learners that the log has had. */
  readonly #learner: number;

  private constructor(database: SampleDatabase, options: LearnerSampleLogOptions) {
    this.#format = options.format;
    this.#database = database;
    this.#rows = new SampleRows(database);
    this.#clock = options.clock;
    this.#forgottenIdsMax = options.forgottenIdsMax ?? FORGOTTEN_IDS_MAX;
    this.#learner = database.write(() => {
      this.#rows.setFormat(options.format);
      database.prepare('UPDATE state SET learner = learner + 1').run();
      return this.#rows.state().learner;
    });
  }

  /**
   * Opens the log at `path`, or creates an empty one, and takes it over from an earlier learner. The main process may have
   * it open.
   * @throws MODEL_MISMATCH, STORE_*
   */
  static open(path: string, options: LearnerSampleLogOptions): LearnerSampleLog {
    const database = openSampleDatabase(path, 'relaxed', options);
    try {
      return new LearnerSampleLog(database, options);
    } catch (error) {
      database.close();
      throw error;
    }
  }

  /** How far arrival, training and source have come, now. @throws STORE_CORRUPT, STORE_LOCKED */
  state(): LogState {
    return this.#database.read(() => this.#rows.state());
  }

  /** The number that the next sample gets. @throws STORE_CORRUPT, STORE_LOCKED */
  get end(): number {
    return this.state().arrivalEnd;
  }

  /**
   * Lets samples [first, first + count) of the recipe's own source arrive, counted from 0 in the order in which it yields
   * them. Those that have arrived before are passed over, so that a run may say again what it said before it was killed;
   * leaving some out is a bug. Returns how many arrived.
   * @throws STORE_*; those before the failure have arrived
   */
  appendFromSource(first: number, count: number): number {
    const end = first + count;
    let arrived = 0;
    while (true) {
      const added = this.#write(({ sourceEnd }) => {
        assert(first <= sourceEnd, 'the samples of a source arrive in order');
        return this.#insertFromSource(sourceEnd, Math.min(end - sourceEnd, ARRIVALS_PER_TRANSACTION));
      });
      arrived += added;
      if (added === 0) return arrived;
    }
  }

  /**
   * The samples that arrived as these numbers, in the order of `arrivals`. Arrays of a result are the caller's own.
   * @throws STORE_CORRUPT when one is not there, or not as it was stored; STORE_LOCKED
   */
  read(arrivals: ArrayLike<number>): StoredSample[] {
    return this.#database.read(() => {
      const statement = this.#database.prepare<[number], SampleRow>(
        'SELECT source_index, checksum, target, input FROM samples WHERE arrival = ?',
      );
      return Array.from(arrivals, (arrival) => this.#sampleOf(arrival, statement.get(arrival)));
    });
  }

  /**
   * The arrivals in [first, end) that are kept, ascending; a new array. Reads all these samples' pages: for a start, not
   * for a step. @throws STORE_CORRUPT, STORE_LOCKED
   */
  arrivals(first: number, end: number): Uint32Array {
    const statement = this.#database
      .prepare<[number, number], number>(
        'SELECT arrival FROM samples WHERE arrival >= ? AND arrival < ? ORDER BY arrival',
      )
      .pluck();
    return this.#database.read(() => Uint32Array.from(statement.all(first, end)));
  }

  /**
   * Records, before step `step` is trained, that it is the first to see the samples up to `arrivalEnd` (those since the
   * step before; none where nothing is new). Saying again what was recorded changes nothing; saying anything else about a
   * recorded step is a bug. @throws STORE_*
   */
  takeStep(step: number, arrivalEnd: number): void {
    this.#write((state) => {
      const recorded = this.#stepEnd(step);
      if (recorded !== null) {
        assert(
          recorded === arrivalEnd,
          `step ${step} took the arrivals up to ${recorded}, not ${arrivalEnd}`,
        );
        return;
      }
      assert(step > state.step, `step ${step} comes after step ${state.step}`);
      assert(
        state.takenEnd <= arrivalEnd && arrivalEnd <= state.arrivalEnd,
        `a step takes arrivals that are there: ${state.takenEnd} ≤ ${arrivalEnd} ≤ ${state.arrivalEnd}`,
      );
      this.#database
        .prepare<[number, number]>('INSERT INTO steps (step, arrival_end) VALUES (?, ?)')
        .run(step, arrivalEnd);
      this.#database
        .prepare<[number, number]>('UPDATE state SET step = ?, taken_end = ?')
        .run(step, arrivalEnd);
    });
  }

  /** Up to which arrival step `step` took samples; null where it was not recorded, or before the last checkpoint. */
  stepEnd(step: number): number | null {
    return this.#database.read(() => this.#stepEnd(step));
  }

  /** Records, before it is published, what decides of version `version`. Saying it again replaces it. @throws STORE_* */
  takePublication(version: number, { step, density }: PublicationRecord): void {
    this.#write(() =>
      this.#database
        .prepare<[number, number, number]>(
          'INSERT OR REPLACE INTO publications (version, step, density) VALUES (?, ?, ?)',
        )
        .run(version, step, density),
    );
  }

  /** What was recorded of version `version`; null where nothing was, or before the last checkpoint. */
  publication(version: number): PublicationRecord | null {
    const row = this.#database.read(() =>
      this.#database
        .prepare<[number], PublicationRecord>('SELECT step, density FROM publications WHERE version = ?')
        .get(version),
    );
    return row ?? null;
  }

  /**
   * Goes back to `step`, for a run whose checkpoint was lost: the steps after it, and all versions, are recorded anew. What they took stays
   * taken, and is history. @throws STORE_*
   */
  rewind(step: number): void {
    this.#write((state) => {
      assert(step <= state.step, `going back from step ${state.step} to ${step}`);
      this.#database.prepare<[number]>('DELETE FROM steps WHERE step > ?').run(step);
      this.#database.prepare('DELETE FROM publications').run();
      this.#database.prepare<[number]>('UPDATE state SET step = ?').run(step);
    });
  }

  /**
   * Everything recorded is on disk when this returns: before a checkpoint that builds on it, which a learner that has lost
   * the log must not write. @throws STORE_*
   */
  flush(): void {
    this.#database.writeDurably(() => {
      this.#ownState();
      this.#database.prepare('UPDATE state SET step = step').run();
    });
  }

  /**
   * Tells that a checkpoint of `step` is on disk: `gone`, the samples that its sampler will never draw again, are
   * forgotten, and the steps before it and the versions up to `version` are not to be taken again. A death half-way is mended by `keepOnly`.
   * @throws STORE_*
   */
  checkpointed(step: number, version: number, gone: readonly number[]): void {
    this.#forget(gone);
    this.#write(() => {
      this.#database.prepare<[number]>('DELETE FROM steps WHERE step < ?').run(step);
      this.#database.prepare<[number]>('DELETE FROM publications WHERE version <= ?').run(version);
    });
  }

  /**
   * Forgets the samples below `end` that are not in `kept` (ascending): what the run before should have forgotten.
   * @throws STORE_CORRUPT when one of `kept` is missing; STORE_*
   */
  keepOnly(kept: Uint32Array, end: number): void {
    const { sampleCount, arrivalEnd } = this.state();
    const isAsItShould = sampleCount - (arrivalEnd - end) === kept.length;
    // Usually nothing is to be forgotten; then the pages of all samples need not be read.
    if (isAsItShould && this.#areThere(kept)) return;
    const keptSet = new Set(kept);
    const gone: number[] = [];
    for (const arrival of this.arrivals(0, end)) {
      if (!keptSet.delete(arrival)) gone.push(arrival);
    }
    const [missing] = keptSet;
    if (missing !== undefined) throw this.#missing(missing);
    this.#forget(gone);
  }

  close(): void {
    this.#database.close();
  }

  /** Runs `change` with the state before it, in one transaction, as long as the log is ours. */
  #write<Result>(change: (state: LogState) => Result): Result {
    return this.#database.write(() => change(this.#ownState()));
  }

  /** @throws STORE_LOCKED when the log is another learner's */
  #ownState(): LogState {
    const state = this.#rows.state();
    if (state.learner === this.#learner) return state;
    throw new FreshetError(
      'STORE_LOCKED',
      `${this.#database.path} has been taken over by a newer learner: this one has to end`,
    );
  }

  #insertFromSource(firstIndex: number, count: number): number {
    if (count <= 0) return 0;
    const first = this.#rows.takeArrivals(count);
    const arrivedMs = this.#clock();
    const insert = this.#database.prepare<[number, number, number, string]>(
      'INSERT INTO samples (arrival, source_index, arrived_ms, origin) VALUES (?, ?, ?, ?)',
    );
    for (let i = 0; i < count; i++) insert.run(first + i, firstIndex + i, arrivedMs, SOURCE_ORIGIN);
    this.#database.prepare<[number]>('UPDATE state SET source_end = source_end + ?').run(count);
    return count;
  }

  #sampleOf(arrival: number, row: SampleRow | undefined): StoredSample {
    if (row === undefined) throw this.#missing(arrival);
    if (row.source_index !== null) return { sourceIndex: row.source_index };
    const { input, target, checksum } = row;
    const sample = decodeSample(this.#format, { input, target, checksum });
    if (sample !== null) return sample;
    throw damagedLog(this.#database.path, new Error(`sample ${arrival} is not as it was stored`));
  }

  #missing(arrival: number): FreshetError {
    return damagedLog(this.#database.path, new Error(`sample ${arrival} is missing`));
  }

  #stepEnd(step: number): number | null {
    const end = this.#database
      .prepare<[number], number>('SELECT arrival_end FROM steps WHERE step = ?')
      .pluck()
      .get(step);
    return end ?? null;
  }

  /** Spot check of the ends: counts agree already, so that others could only be missing if as many were too many. */
  #areThere(kept: Uint32Array): boolean {
    const find = this.#database.prepare<[number], number>('SELECT 1 FROM samples WHERE arrival = ?').pluck();
    return this.#database.read(() =>
      [kept.at(0), kept.at(-1)].every((arrival) => arrival === undefined || find.get(arrival) === 1),
    );
  }

  #forget(gone: readonly number[]): void {
    for (let start = 0; start < gone.length; start += FORGOTTEN_PER_TRANSACTION) {
      this.#write((state) => this.#delete(state, gone.slice(start, start + FORGOTTEN_PER_TRANSACTION)));
    }
  }

  /** Those that are not there any more are passed over. */
  #delete({ takenEnd }: LogState, arrivals: readonly number[]): void {
    assert(
      arrivals.every((arrival) => arrival < takenEnd),
      'what waits to be trained on is not forgotten',
    );
    const list = JSON.stringify(arrivals);
    this.#database
      .prepare<[string]>(
        `INSERT INTO forgotten_ids (id)
           SELECT id FROM samples WHERE arrival IN (SELECT value FROM json_each(?)) AND id IS NOT NULL
           ORDER BY arrival`,
      )
      .run(list);
    const { changes } = this.#database
      .prepare<[string]>('DELETE FROM samples WHERE arrival IN (SELECT value FROM json_each(?))')
      .run(list);
    this.#database.prepare<[number]>('UPDATE state SET sample_count = sample_count - ?').run(changes);
    this.#database
      .prepare<[number]>(
        'DELETE FROM forgotten_ids WHERE serial <= (SELECT max(serial) FROM forgotten_ids) - ?',
      )
      .run(this.#forgottenIdsMax);
  }
}

type SampleRow =
  | { readonly source_index: number; readonly checksum: null; readonly target: null; readonly input: null }
  | {
      readonly source_index: null;
      readonly checksum: number;
      readonly target: Buffer;
      readonly input: Buffer;
    };
