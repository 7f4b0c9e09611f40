/**
 * The statements that both ends of the log use: format and state. They run inside of the caller's `read` or `write`.
 */
import { FreshetError } from '@freshet/protocol/errors';
import type { SampleFormat } from '@freshet/protocol/sample-format';
import { damagedLog, type SampleDatabase } from './sample-database.ts';

/** How far everything has come. */
export interface LogState {
  /** Arrivals so far: the number that the next sample gets. */
  readonly arrivalEnd: number;
  /** Arrivals below have been taken by a training step. */
  readonly takenEnd: number;
  /** Newest step recorded; −1 before the first. */
  readonly step: number;
  /** Samples of the recipe's own source that have arrived. */
  readonly sourceEnd: number;
  /** Samples that are kept. */
  readonly sampleCount: number;
  /** Which learner has the log, counted from 1. */
  readonly learner: number;
}

/** Samplers hand arrivals on as 32-bit integers. */
const ARRIVAL_END_MAX = 2 ** 32;

export class SampleRows {
  readonly #database: SampleDatabase;

  constructor(database: SampleDatabase) {
    this.#database = database;
  }

  /** @throws STORE_CORRUPT */
  state(): LogState {
    const row = this.#database
      .prepare<[], LogState>(
        `SELECT arrival_end AS arrivalEnd, taken_end AS takenEnd, step, source_end AS sourceEnd,
           sample_count AS sampleCount, learner FROM state`,
      )
      .get();
    if (row === undefined) throw damagedLog(this.#database.path, new Error('it has no state'));
    return row;
  }

  /**
   * Writes what an empty log is of, or compares it.
   * @throws MODEL_MISMATCH when the log holds samples of another format
   */
  setFormat(format: SampleFormat): void {
    const { inputShape, inputType, target } = format;
    const wanted: FormatRow = {
      input_shape: JSON.stringify(inputShape),
      input_type: inputType,
      target_kind: target.kind,
      target_count: target.kind === 'class' ? target.classCount : target.elementCount,
    };
    const stored = this.#database
      .prepare<[], FormatRow>('SELECT input_shape, input_type, target_kind, target_count FROM format')
      .get();
    if (stored === undefined) {
      this.#database
        .prepare<[FormatRow]>(
          'INSERT INTO format VALUES (1, @input_shape, @input_type, @target_kind, @target_count)',
        )
        .run(wanted);
    } else if (describe(stored) !== describe(wanted)) {
      throw new FreshetError(
        'MODEL_MISMATCH',
        `${this.#database.path} holds samples of ${describe(stored)}, and the recipe takes ${describe(wanted)}: ` +
          'use another --state directory',
      );
    }
  }

  /** Gives away the next `count` arrivals, for samples that are inserted with them; returns the first. */
  takeArrivals(count: number): number {
    const { arrivalEnd } = this.state();
    if (arrivalEnd + count > ARRIVAL_END_MAX) {
      throw new FreshetError(
        'STORE_WRITE_FAILED',
        `${this.#database.path} has numbered ${ARRIVAL_END_MAX} samples, and no more can be: use another --state directory`,
      );
    }
    this.#database
      .prepare<[number, number]>(
        'UPDATE state SET arrival_end = arrival_end + ?, sample_count = sample_count + ?',
      )
      .run(count, count);
    return arrivalEnd;
  }
}

interface FormatRow {
  readonly input_shape: string;
  readonly input_type: string;
  readonly target_kind: string;
  readonly target_count: number;
}

/** Two formats are the same when this is. */
function describe({ input_shape, input_type, target_kind, target_count }: FormatRow): string {
  const target = target_kind === 'class' ? `one of ${target_count} classes` : `${target_count} numbers`;
  return `${input_shape} ${input_type} with ${target}`;
}
