/** The one row of `feedback_state`. Writing is part of the caller's transaction. */
import type { SampleFormat } from '@freshet/protocol/sample-format';
import type Database from 'better-sqlite3';

/** Of the queue. */
export interface FeedbackLimits {
  readonly samplesMax: number;
  /** Of the samples with what their rows take beside them. */
  readonly bytesMax: number;
}

export interface FeedbackTotals {
  /** Samples in the queue. */
  readonly waiting: number;
  readonly waitingBytes: number;
  /** Over the life of the store: samples that the hub has taken, had taken before, and will never take. */
  readonly taken: number;
  readonly duplicates: number;
  readonly refused: number;
}

interface FormatRow {
  readonly input_shape: string;
  readonly input_type: SampleFormat['inputType'];
  readonly target_kind: SampleFormat['target']['kind'];
  readonly target_count: number;
}

export class FeedbackState {
  readonly #connection: Database.Database;

  constructor(connection: Database.Database) {
    this.#connection = connection;
  }

  format(): SampleFormat | null {
    const row = this.#connection
      .prepare<[], FormatRow>(
        `SELECT input_shape, input_type, target_kind, target_count
           FROM feedback_state WHERE input_shape IS NOT NULL`,
      )
      .get();
    if (row === undefined) return null;
    const { input_shape, input_type, target_kind, target_count } = row;
    return {
      inputShape: input_shape === '' ? [] : input_shape.split(' ').map(Number),
      inputType: input_type,
      target:
        target_kind === 'class'
          ? { kind: 'class', classCount: target_count }
          : { kind: 'vector', elementCount: target_count },
    };
  }

  setFormat({ inputShape, inputType, target }: SampleFormat): void {
    const count = target.kind === 'class' ? target.classCount : target.elementCount;
    this.#connection
      .prepare('UPDATE feedback_state SET input_shape = ?, input_type = ?, target_kind = ?, target_count = ?')
      .run(inputShape.join(' '), inputType, target.kind, count);
  }

  limits(): FeedbackLimits {
    return this.#row<FeedbackLimits>('samples_max AS samplesMax, bytes_max AS bytesMax');
  }

  setLimits({ samplesMax, bytesMax }: FeedbackLimits): void {
    this.#connection
      .prepare('UPDATE feedback_state SET samples_max = ?, bytes_max = ?')
      .run(samplesMax, bytesMax);
  }

  totals(): FeedbackTotals {
    return this.#row<FeedbackTotals>('waiting, waiting_bytes AS waitingBytes, taken, duplicates, refused');
  }

  /** Adds to the totals. */
  count(change: Partial<FeedbackTotals>): void {
    const { waiting = 0, waitingBytes = 0, taken = 0, duplicates = 0, refused = 0 } = change;
    this.#connection
      .prepare(
        `UPDATE feedback_state SET waiting = waiting + ?, waiting_bytes = waiting_bytes + ?, taken = taken + ?,
           duplicates = duplicates + ?, refused = refused + ?`,
      )
      .run(waiting, waitingBytes, taken, duplicates, refused);
  }

  /** There is one since the table was made. */
  #row<Row>(columns: string): Row {
    return this.#connection.prepare<[], Row>(`SELECT ${columns} FROM feedback_state`).get()!;
  }
}
