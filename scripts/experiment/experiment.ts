/** Makes the runs of an experiment that are missing, and writes its report. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FreshetError } from '@freshet/protocol/errors';
import { countOf } from '@freshet/protocol/local/format';
import type { BackendName } from '@freshet/trainer/learn/backends/backend';
import { selectBackend } from '@freshet/trainer/learn/backends/select-backend';
import { describeMachine } from '../bench/machine.ts';
import { driftReport } from './report/drift-report.ts';
import { lineChartSvg } from './report/line-chart.ts';
import { type PaperReport, paperReport } from './report/paper-report.ts';
import { type CourseResult, type CourseSpec, runCourse } from './run/course.ts';
import { type InitialModel, trainInitialModel } from './run/initial-model.ts';
import { DRIFTING_STREAMS, driftCourses } from './specs/drift.ts';
import { EPOCHS, INITIAL_COUNT, mnistPaperCourses } from './specs/mnist-paper.ts';
import { type RunRecord, RunStore } from './store/run-store.ts';
import { type DriftInput, stationary } from './streams/drifting.ts';
import { mnistImages } from './streams/mnist-images.ts';
import type { Stream } from './streams/stream.ts';

export const EXPERIMENT_NAMES = ['mnist-paper', 'drift'] as const;
export type ExperimentName = (typeof EXPERIMENT_NAMES)[number];

export interface ExperimentOptions {
  readonly name: ExperimentName;
  /** Share of the digits that are used, in (0, 1]. */
  readonly scale: number;
  readonly seedCount: number;
  readonly backend: BackendName | 'auto';
  /** Folder for `NAME/`. */
  readonly out: string;
  /** Only courses and streams whose name contains it. */
  readonly only: string;
  /** The report alone, of the runs that are there. */
  readonly reportOnly: boolean;
}

interface Plan {
  readonly streams: readonly ((input: DriftInput) => Stream)[];
  readonly courses: (scale: number) => readonly CourseSpec[];
  readonly report: (records: readonly RunRecord[]) => PaperReport;
  readonly title: string;
}

const PLANS: Readonly<Record<ExperimentName, Plan>> = {
  'mnist-paper': {
    title: 'MNIST as in the paper',
    streams: [stationary],
    courses: mnistPaperCourses,
    report: paperReport,
  },
  drift: {
    title: 'Streams that drift',
    streams: DRIFTING_STREAMS,
    courses: driftCourses,
    report: driftReport,
  },
};

/** Digits in a window of prequential accuracy. */
const WINDOW_COUNT = 1000;
const WINDOW_COUNT_MIN = 50;

/** Resolves with the folder of the report. `note` is told what is going on. @throws FreshetError */
export async function runExperiment(
  options: ExperimentOptions,
  note: (line: string) => void,
): Promise<string> {
  const { name, scale, out } = options;
  const plan = PLANS[name];
  const folder = join(out, name);
  const store = new RunStore(join(folder, scale === 1 ? 'runs.jsonl' : `runs-${scale}.jsonl`));
  if (!options.reportOnly) await makeRuns(options, plan, store, note);
  const records = store.ofScale(scale);
  await writeReport(options, plan, folder, records);
  return folder;
}

async function makeRuns(
  { scale, seedCount, backend: requested, only }: ExperimentOptions,
  plan: Plan,
  store: RunStore,
  note: (line: string) => void,
): Promise<void> {
  const { name: backend, adapter } = await selectBackend(requested);
  note(`on ${backend} (${adapter})`);
  const images = mnistImages(scale);
  const passedOver = new Set<string>();
  let isAny = false;
  for (let seed = 1; seed <= seedCount; seed++) {
    const initialModels = new Map<number, InitialModel>();
    for (const streamOf of plan.streams) {
      const stream = streamOf({ ...images, initialCount: Math.round(scale * INITIAL_COUNT), seed });
      for (const course of plan.courses(scale)) {
        const label = `${stream.name} ${course.name}`;
        if (!label.includes(only)) {
          passedOver.add(label);
          continue;
        }
        isAny = true;
        const key = { stream: stream.name, course: course.name, seed, scale };
        if (store.has(key)) continue;
        // Before the stream nothing has drifted yet: streams of one seed begin with the same model.
        const initial =
          initialModels.get(stream.initialCount) ?? (await trainInitialModel(stream, seed, EPOCHS));
        initialModels.set(stream.initialCount, initial);
        const startMs = performance.now();
        const result = await runCourse(course, stream, seed, initial);
        store.add(recordOf(result, stream, { scale, backend, initialMs: initial.trainMs }));
        const seconds = ((performance.now() - startMs) / 1000).toFixed(0);
        note(`${stream.name}, seed ${seed}: ${course.name}: ${result.steps} steps, ${seconds} s`);
      }
    }
  }
  if (isAny) return;
  throw new FreshetError(
    'CONFIG_INVALID',
    `--only ${only}: no run has it; there are ${[...passedOver].join('; ')}`,
  );
}

function recordOf(
  { spec, seed, trace, steps, trainMs, accuracies, accuraciesBeforeLast, replicas }: CourseResult,
  stream: Stream,
  { scale, backend, initialMs }: Pick<RunRecord, 'scale' | 'backend' | 'initialMs'>,
): RunRecord {
  const windowCount = Math.max(WINDOW_COUNT_MIN, Math.round(scale * WINDOW_COUNT));
  return {
    stream: stream.name,
    course: spec.name,
    seed,
    scale,
    backend,
    date: new Date().toISOString(),
    initialCount: stream.initialCount,
    phases: stream.phases,
    tests: stream.tests.map(({ name }) => name),
    windowCount,
    steps,
    trainMs,
    initialMs,
    cumulative: trace.accuracy(),
    windows: trace.windows(windowCount),
    cumulativeCurve: trace.cumulative(windowCount),
    accuracies,
    accuraciesBeforeLast,
    replicas: replicas.map(({ trace: replicaTrace, ...replica }) => ({
      ...replica,
      cumulative: replicaTrace.accuracy(),
      windows: replicaTrace.windows(windowCount),
    })),
  };
}

async function writeReport(
  { name, scale }: ExperimentOptions,
  plan: Plan,
  folder: string,
  records: readonly RunRecord[],
): Promise<void> {
  const { text, charts } = plan.report(records);
  const { cpu, cores, os, node } = describeMachine();
  const seeds = new Set(records.map(({ seed }) => seed)).size;
  const backends = [...new Set(records.map(({ backend }) => backend))].join(', ');
  const head = `# ${plan.title}

\`npm run experiment -- ${name}${scale === 1 ? '' : ` --scale ${scale}`} --seeds ${seeds}\`

${cpu}, ${cores} cores, ${os}; Node ${node}; backend ${backends}; ${countOf(seeds, 'seed')}${seeds === 1 ? '' : '; means ± standard deviations of the seeds'}.${
    scale === 1 ? '' : ` A quick look: ${scale} of the digits, which says little of the full run.`
  }`;
  const parts = [head, ...missingNote(plan.courses(scale), records), text];
  mkdirSync(folder, { recursive: true });
  const suffix = scale === 1 ? '' : `-${scale}`;
  const images: string[] = [];
  for (const { file, chart } of charts) {
    const path = file.replace('.svg', `${suffix}.svg`);
    writeFileSync(join(folder, path), await lineChartSvg(chart));
    images.push(`![${chart.title}](${path})`);
  }
  writeFileSync(join(folder, `REPORT${suffix}.md`), `${[...parts, ...images].join('\n\n')}\n`);
}

/** What the report does not have yet, stream by stream. */
function missingNote(courses: readonly CourseSpec[], records: readonly RunRecord[]): string[] {
  const missing = [...new Set(records.map(({ stream }) => stream))].flatMap((stream) =>
    courses
      .filter(({ name }) => !records.some((record) => record.stream === stream && record.course === name))
      .map(({ name }) => `${stream}: ${name}`),
  );
  if (missing.length === 0) return [];
  return [`**Unfinished.** Runs that are still to be made: ${missing.join('; ')}. The same command goes on.`];
}
