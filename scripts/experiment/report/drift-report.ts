/** `drift` as text, tables and plots: what each sampler forgets, how deep it falls, how fast it comes back. */
import { forgetting } from '../measures/drift-measures.ts';
import { formatSummary, summarise } from '../measures/summary.ts';
import type { Window } from '../measures/trace.ts';
import type { RunRecord } from '../store/run-store.ts';
import { markdownTable } from './markdown.ts';
import type { PaperReport } from './paper-report.ts';
import { byCourse, type CourseRuns, meanLine, ofReplicas, ofRuns, replicaNames } from './seeds.ts';

/** Back to within this of what it was before. */
const TOLERANCE = 0.01;

export function driftReport(records: readonly RunRecord[]): PaperReport {
  const courses = byCourse(records);
  const streams = [...new Set(courses.map(({ stream }) => stream))];
  const parts = streams.map((stream) => ofStream(courses.filter((each) => each.stream === stream)));
  return {
    text: parts.map(({ text }) => text).join('\n\n'),
    charts: parts.flatMap((part) => part.charts),
  };
}

function ofStream(courses: readonly CourseRuns[]): PaperReport {
  const [first] = courses[0]?.runs ?? [];
  if (first === undefined) return { text: '', charts: [] };
  const { stream, phases, tests } = first;
  const rows = courses.map((course) => [
    course.course,
    formatSummary(
      ofRuns(course, (run) => run.cumulative),
      2,
      100,
    ),
    ...tests.map((_, test) =>
      formatSummary(
        ofRuns(course, (run) => run.accuracies.at(-1)![test]!),
        2,
        100,
      ),
    ),
    tests.length > 1 && phases.length > 1
      ? formatSummary(
          ofRuns(course, (run) => forgetting(run.accuracies.map((row) => row.slice(0, phases.length)))),
          2,
          100,
        )
      : '–',
    ...changesOf(course),
    replicaNames(course)
      .map((name) =>
        formatSummary(
          ofReplicas(course, name, (replica) => replica.accuracies.at(-1)!),
          2,
          100,
        ),
      )
      .join(', ') || '–',
  ]);
  const heading = [
    'sampler',
    'prequential',
    ...tests.map((name) => `final: ${name}`),
    'forgetting',
    'dip, pp',
    'samples to recover',
    'replica, final',
  ];
  return {
    text: `## ${stream}\n\nPhases: ${phases.map(({ name, start }) => `${name} from ${start}`).join(', ')}.\n\n${markdownTable(heading, rows)}`,
    charts: [
      {
        file: `${stream}.svg`,
        chart: {
          title: `${stream}: accuracy in windows`,
          xTitle: 'digits',
          yTitle: 'prequential accuracy',
          lines: courses.map((course) =>
            meanLine(
              course.course,
              course.runs.map((run) => run.windows),
            ),
          ),
          marks: phases.slice(1).map(({ name, start }) => ({ x: start, name })),
        },
      },
    ],
  };
}

/** Dip and recovery after the change that goes deepest. */
function changesOf(course: CourseRuns): [string, string] {
  const found = course.runs.map((run) => {
    const changes = run.phases.slice(1).map(({ start }, i) => around(run, start, run.phases[i + 2]?.start));
    return changes.reduce((worst, change) => (change.dip > worst.dip ? change : worst), {
      dip: Number.NEGATIVE_INFINITY,
      samples: null as number | null,
    });
  });
  const dips = found.map(({ dip }) => dip).filter(Number.isFinite);
  if (dips.length === 0) return ['–', '–'];
  const recovered = found.flatMap(({ samples }) => samples ?? []);
  const text =
    recovered.length === found.length ? String(summarise(recovered).mean.toFixed(0)) : 'not within its phase';
  return [formatSummary(summarise(dips), 1, 100), text];
}

function around(run: RunRecord, start: number, end = Number.POSITIVE_INFINITY) {
  const before: Window | undefined = run.windows.filter((window) => window.end <= start).at(-1);
  const after = run.windows.filter((window) => window.end - run.windowCount >= start && window.end <= end);
  if (before === undefined || after.length === 0) return { dip: Number.NEGATIVE_INFINITY, samples: null };
  const lowest = after.reduce((worst, window) => (window.accuracy < worst.accuracy ? window : worst));
  const back = after.find(
    (window) => window.end >= lowest.end && window.accuracy >= before.accuracy - TOLERANCE,
  );
  return { dip: before.accuracy - lowest.accuracy, samples: back === undefined ? null : back.end - start };
}
