/** The bench of the tfjs backends: a training step of each model on every backend that this machine has. */
import { join } from 'node:path';
import { formatTable } from '@freshet/protocol/local/format';
import { BACKEND_NAMES, type BackendName } from '@freshet/trainer/learn/backends/backend';
import { examineBackend } from '@freshet/trainer/learn/doctor/examination';
import { describeMachine, type Machine } from './machine.ts';
import { STEP_BATCH, type StepModelName } from './step-models.ts';

export interface BackendsOptions {
  readonly backends: readonly BackendName[];
  readonly models: readonly StepModelName[];
  /** Samples of a step, if not those of STEP_BATCH. */
  readonly batchCount?: number | undefined;
  /** About how long each step is measured. */
  readonly budgetMs: number;
  /** A backend that takes longer with a model is stopped. */
  readonly timeoutMs: number;
}

export interface BackendCase {
  readonly backend: BackendName;
  readonly model: StepModelName;
  readonly weightCount: number;
  readonly batchCount: number;
  /** What the work ran on. */
  readonly adapter: string;
  /** Median. */
  readonly stepMs: number;
  readonly stepCount: number;
}

export interface AbsentBackend {
  readonly backend: BackendName;
  /** The first model that it did not train; larger ones were not tried. */
  readonly model: StepModelName;
  readonly reason: string;
  readonly remedy: string;
}

export interface BackendsReport {
  readonly bench: 'backends';
  readonly machine: Machine;
  readonly cases: readonly BackendCase[];
  readonly absent: readonly AbsentBackend[];
}

const CHILD = join(import.meta.dirname, 'backends-child.ts');

/** One backend after the other, each in a process of its own: two at a time would slow each other down. */
export async function benchBackends(
  { backends, models, budgetMs, timeoutMs, ...options }: BackendsOptions,
  note: (line: string) => void,
): Promise<BackendsReport> {
  const cases: BackendCase[] = [];
  const absent: AbsentBackend[] = [];
  for (const backend of BACKEND_NAMES.filter((name) => backends.includes(name))) {
    for (const model of models) {
      const batchCount = options.batchCount ?? STEP_BATCH[model];
      note(`${backend}: ${model}, ${batchCount} samples`);
      const program = { module: CHILD, args: [model] };
      const finding = await examineBackend(backend, { batchCount, budgetMs, timeoutMs }, program);
      if (finding.kind === 'unusable') {
        absent.push({ backend, model, reason: finding.reason, remedy: finding.remedy });
        break;
      }
      const { adapter, stepMs, stepCount, weightCount } = finding;
      cases.push({ backend, model, weightCount, batchCount, adapter, stepMs, stepCount });
    }
  }
  return { bench: 'backends', machine: describeMachine(), cases, absent };
}

export function describeBackends({ machine, cases, absent }: BackendsReport): string {
  const { cpu, cores, os, node, date } = machine;
  const rows = cases.map((each) => [
    each.backend,
    each.model,
    String(each.batchCount),
    each.stepMs.toFixed(1),
    String(each.stepCount),
    each.adapter,
  ]);
  const table = formatTable([['BACKEND', 'MODEL', 'BATCH', 'STEP MS', 'STEPS', 'ADAPTER'], ...rows]);
  const others = absent.map(({ backend, model, reason }) => `${backend} (${model}): ${reason}`);
  const heading = `${date}: ${cpu}, ${cores} cores, ${os}, Node ${node}`;
  return [heading, table, ...(others.length > 0 ? [others.join('\n')] : [])].join('\n\n');
}
