/**
 * The main process's end of the sample log: takes what clients and devices send. A sample that was taken is on disk, and
 * one with an id is taken once.
 */
import { assert } from '@freshet/protocol/assert';
import type { IncomingSample, SampleFormat } from '@freshet/protocol/sample-format';
import { encodeSample, sampleKey } from './sample.ts';
import {
  capacityOf,
  SAMPLE_LIMITS_DEFAULT,
  type SampleCapacity,
  type SampleLimits,
} from './sample-capacity.ts';
import { openSampleDatabase, type SampleDatabase } from './sample-database.ts';
import { type LogState, SampleRows } from './sample-rows.ts';

export interface SampleInboxOptions {
  readonly format: SampleFormat;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
  readonly limits?: SampleLimits;
  /** How long to wait for the learner's transaction. */
  readonly lockWaitMs?: number;
}

export type AppendOutcome =
  /** `duplicates` had been taken before. */
  | { readonly kind: 'taken'; readonly taken: number; readonly duplicates: number; readonly waiting: number }
  /** Too many wait to be trained on, or to be forgotten: nothing was taken, and the same may be sent again later. */
  | { readonly kind: 'full'; readonly waiting: number };

/** `origin` of a sample: the longest is that of a device, a short word and its name. */
const ORIGIN_LENGTH_MAX = 160;

export class SampleInbox {
  readonly format: SampleFormat;
  readonly capacity: SampleCapacity;
  readonly #database: SampleDatabase;
  readonly #rows: SampleRows;
  readonly #clock: () => number;

  private constructor(
    database: SampleDatabase,
    { format, clock }: SampleInboxOptions,
    capacity: SampleCapacity,
  ) {
    this.format = format;
    this.capacity = capacity;
    this.#database = database;
    this.#rows = new SampleRows(database);
    this.#clock = clock;
  }

  /**
   * Opens the log at `path` or creates an empty one. The learner may have it open.
   * @throws CONFIG_INVALID, MODEL_MISMATCH, STORE_*
   */
  static open(path: string, options: SampleInboxOptions): SampleInbox {
    const { format, limits = SAMPLE_LIMITS_DEFAULT } = options;
    const capacity = capacityOf(format, limits);
    const database = openSampleDatabase(path, 'full', options);
    try {
      const inbox = new SampleInbox(database, options, capacity);
      database.write(() => inbox.#rows.setFormat(format));
      return inbox;
    } catch (error) {
      database.close();
      throw error;
    }
  }

  /** Samples that wait to be trained on. @throws STORE_CORRUPT, STORE_LOCKED */
  get waiting(): number {
    return waitingIn(this.#database.read(() => this.#rows.state()));
  }

  /** Samples that are kept, waiting ones included. @throws STORE_CORRUPT, STORE_LOCKED */
  get sampleCount(): number {
    return this.#database.read(() => this.#rows.state()).sampleCount;
  }

  /**
   * Takes all of `samples` or none, at most `capacity.waitingMax` at a time; what is taken is on disk when this returns.
   * `origin`: where they come from, in which their ids are unique.
   * @throws STORE_WRITE_FAILED, STORE_CORRUPT, STORE_LOCKED; nothing was taken then
   */
  append(samples: readonly IncomingSample[], origin: string): AppendOutcome {
    assert(samples.length <= this.capacity.waitingMax, 'more samples at once than may wait');
    assert(origin.length <= ORIGIN_LENGTH_MAX, 'an origin is a name');
    return this.#database.write(() => {
      const state = this.#rows.state();
      const fresh = this.#unknownOf(samples, origin);
      const waiting = waitingIn(state);
      const { waitingMax, samplesMax } = this.capacity;
      // A few that wait for more to come must not keep out the very ones they wait for, however many are sent at once.
      const isFull = waiting >= waitingMax || state.sampleCount + fresh.length > samplesMax;
      // What has been taken before is no reason to refuse: its sender has only not heard of it.
      if (isFull && fresh.length > 0) return { kind: 'full', waiting };
      this.#insert(fresh, origin);
      const [taken, duplicates] = [fresh.length, samples.length - fresh.length];
      return { kind: 'taken', taken, duplicates, waiting: waiting + taken };
    });
  }

  close(): void {
    this.#database.close();
  }

  /** Those that are not in the log, nor have been, each once. */
  #unknownOf(samples: readonly IncomingSample[], origin: string): KeyedSample[] {
    const find = this.#database
      .prepare<[Buffer, Buffer], number>(
        'SELECT 1 FROM samples WHERE id = ? UNION ALL SELECT 1 FROM forgotten_ids WHERE id = ?',
      )
      .pluck();
    const ids = new Set<string>();
    const unknown: KeyedSample[] = [];
    for (const sample of samples) {
      if (sample.id === null) {
        unknown.push({ sample, key: null });
        continue;
      }
      const key = sampleKey(origin, sample.id);
      if (ids.has(sample.id) || find.get(key, key) !== undefined) continue;
      ids.add(sample.id);
      unknown.push({ sample, key });
    }
    return unknown;
  }

  #insert(samples: readonly KeyedSample[], origin: string): void {
    const first = this.#rows.takeArrivals(samples.length);
    const arrivedMs = this.#clock();
    const insert = this.#database.prepare<
      [number, Buffer | null, number, string, number, Uint8Array, Uint8Array]
    >(
      `INSERT INTO samples (arrival, id, arrived_ms, origin, checksum, target, input)
         VALUES (?, ?, ?, ?, ?, ?, ?)`,
    );
    for (const [i, { sample, key }] of samples.entries()) {
      const { input, target, checksum } = encodeSample(this.format, sample);
      insert.run(first + i, key, arrivedMs, origin, checksum, target, input);
    }
  }
}

interface KeyedSample {
  readonly sample: IncomingSample;
  readonly key: Buffer | null;
}

function waitingIn({ arrivalEnd, takenEnd }: LogState): number {
  return arrivalEnd - takenEnd;
}
