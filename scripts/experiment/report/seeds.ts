/** Runs of several seeds as one: what they have in common, and the mean of what they measured. */
import { assert } from '@freshet/protocol/assert';
import { type Summary, summarise } from '../measures/summary.ts';
import type { Window } from '../measures/trace.ts';
import type { ReplicaRecord, RunRecord } from '../store/run-store.ts';
import type { Line } from './line-chart.ts';

export interface CourseRuns {
  readonly stream: string;
  readonly course: string;
  /** At least one, by seed. */
  readonly runs: readonly RunRecord[];
}

/** In the order in which courses were first run. */
export function byCourse(records: readonly RunRecord[]): CourseRuns[] {
  const groups = new Map<string, CourseRuns & { runs: RunRecord[] }>();
  for (const record of records) {
    const { stream, course } = record;
    const key = `${stream}\n${course}`;
    const group = groups.get(key) ?? { stream, course, runs: [] };
    group.runs.push(record);
    groups.set(key, group);
  }
  return [...groups.values()];
}

export function ofRuns({ runs }: CourseRuns, measure: (run: RunRecord) => number): Summary {
  return summarise(runs.map(measure));
}

/** Of the replica `name`, which all of these runs have. */
export function ofReplicas(
  { runs }: CourseRuns,
  name: string,
  measure: (replica: ReplicaRecord, run: RunRecord) => number,
): Summary {
  return summarise(
    runs.map((run) => {
      const replica = run.replicas.find((each) => each.name === name);
      assert(replica !== undefined, `a replica ${name}`);
      return measure(replica, run);
    }),
  );
}

export function replicaNames({ runs }: CourseRuns): string[] {
  return runs[0]?.replicas.map(({ name }) => name) ?? [];
}

/** The mean of the seeds, window by window. */
export function meanLine(name: string, curves: readonly (readonly Window[])[]): Line {
  const [first = []] = curves;
  const points = first.map(({ end }, i) => ({
    x: end,
    y: summarise(curves.map((curve) => curve[i]?.accuracy ?? Number.NaN)).mean,
  }));
  return { name, points: points.filter(({ y }) => Number.isFinite(y)) };
}
