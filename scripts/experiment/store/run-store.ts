/**
 * Results of runs, one JSON object on each line of a file: a run that is there is not made again, so that an experiment
 * of hours can be stopped and taken up.
 */
import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { FreshetError } from '@freshet/protocol/errors';
import type { Window } from '../measures/trace.ts';

export interface ReplicaRecord {
  readonly name: string;
  readonly cumulative: number;
  readonly windows: readonly Window[];
  readonly accuracies: readonly number[];
  readonly updates: number;
  readonly bytes: number;
  readonly changed: number;
  readonly publishMs: number;
}

export interface RunRecord {
  readonly stream: string;
  readonly course: string;
  readonly seed: number;
  readonly scale: number;
  readonly backend: string;
  /** ISO 8601, UTC. */
  readonly date: string;
  readonly initialCount: number;
  readonly phases: readonly { readonly name: string; readonly start: number }[];
  readonly tests: readonly string[];
  readonly windowCount: number;
  readonly steps: number;
  readonly trainMs: number;
  readonly initialMs: number;
  readonly cumulative: number;
  readonly windows: readonly Window[];
  readonly cumulativeCurve: readonly Window[];
  readonly accuracies: readonly (readonly number[])[];
  readonly accuraciesBeforeLast: readonly number[];
  readonly replicas: readonly ReplicaRecord[];
}

export type RunKey = Pick<RunRecord, 'stream' | 'course' | 'seed' | 'scale'>;

export class RunStore {
  readonly #path: string;
  readonly #records: RunRecord[];

  /** @throws SAMPLES_INVALID when a line of the file is not a run */
  constructor(path: string) {
    this.#path = path;
    this.#records = existsSync(path) ? readRecords(path) : [];
  }

  /** All runs of this scale, in the order in which they were made. */
  ofScale(scale: number): readonly RunRecord[] {
    return this.#records.filter((record) => record.scale === scale);
  }

  has(key: RunKey): boolean {
    return this.#records.some(
      (record) =>
        record.stream === key.stream &&
        record.course === key.course &&
        record.seed === key.seed &&
        record.scale === key.scale,
    );
  }

  add(record: RunRecord): void {
    mkdirSync(dirname(this.#path), { recursive: true });
    appendFileSync(this.#path, `${JSON.stringify(record)}\n`);
    this.#records.push(record);
  }
}

function readRecords(path: string): RunRecord[] {
  const lines = readFileSync(path, 'utf8').split('\n');
  return lines.flatMap((line, i) => {
    if (line === '') return [];
    try {
      return [JSON.parse(line) as RunRecord];
    } catch (cause) {
      throw new FreshetError(
        'SAMPLES_INVALID',
        `${path}, line ${i + 1} is not JSON: remove the line, its run is made again`,
        { cause },
      );
    }
  });
}
