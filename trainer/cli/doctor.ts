/** `freshet doctor` */
import { print } from '@freshet/protocol/local/command';
import { integerIn } from '@freshet/protocol/local/option-values';
import { Command, Option } from 'commander';
import { BACKEND_NAMES, type BackendName } from '../learn/backends/backend.ts';
import type { Finding } from '../learn/doctor/examination.ts';

interface DoctorOptions {
  readonly backends: readonly BackendName[];
  /** Seconds. */
  readonly timeout: number;
  readonly json?: boolean;
}

interface BackendDiagnosis {
  readonly backend: BackendName;
  readonly finding: Finding;
}

const BATCH_COUNT = 128;
const BUDGET_MS = 1000;
const TIMEOUT_SECONDS_MAX = 3600;

export function doctorCommand(): Command {
  return new Command('doctor')
    .description('Say which tfjs backends can train on this machine, how fast, and what the others lack.')
    .addOption(
      new Option('--backends <names...>', 'which ones to examine')
        .choices(BACKEND_NAMES)
        .default([...BACKEND_NAMES], 'all'),
    )
    .addOption(
      new Option('--timeout <seconds>', 'a backend that takes longer is stopped')
        .argParser(integerIn(1, TIMEOUT_SECONDS_MAX))
        .default(120),
    )
    .option('--json', 'print one JSON object instead of text')
    .addHelpText(
      'after',
      `
Each backend is tried in a process of its own, on steps of LeNet-5 with ${BATCH_COUNT} samples.
FRESHET_WEBGPU_SOFTWARE=1 lets webgpu run on a processor, which \`auto\` never does.

Examples:
  freshet doctor
  freshet doctor --backends tfjs-node-gpu webgpu
  freshet doctor --json | jq -r .auto`,
    )
    .action(doctor);
}

async function doctor(options: DoctorOptions): Promise<void> {
  const { examineBackend } = await import('../learn/doctor/examination.ts');
  const diagnoses: BackendDiagnosis[] = [];
  // One after the other: they would slow each other down.
  for (const backend of BACKEND_NAMES.filter((name) => options.backends.includes(name))) {
    const examination = { batchCount: BATCH_COUNT, budgetMs: BUDGET_MS, timeoutMs: 1000 * options.timeout };
    diagnoses.push({ backend, finding: await examineBackend(backend, examination) });
  }
  const auto = automaticChoice(diagnoses);
  const backends = diagnoses.map(({ backend, finding: { kind, ...rest } }) => ({
    backend,
    runs: kind === 'runs',
    ...rest,
  }));
  print(options, { model: 'lenet5', batchCount: BATCH_COUNT, auto, backends }, () =>
    [...diagnoses.flatMap(describe), '', describeChoice(auto, diagnoses.length)].join('\n'),
  );
}

/** What `--backend auto` takes: the first that runs, and that does not have to be asked for. */
export function automaticChoice(diagnoses: readonly BackendDiagnosis[]): BackendName | null {
  const chosen = diagnoses.find(({ finding }) => finding.kind === 'runs' && !finding.onRequestOnly);
  return chosen?.backend ?? null;
}

const NAME_COLUMNS = Math.max(...BACKEND_NAMES.map((name) => name.length)) + 2;

function describe({ backend, finding }: BackendDiagnosis): string[] {
  const name = backend.padEnd(NAME_COLUMNS);
  if (finding.kind === 'runs') {
    const request = finding.onRequestOnly ? '; only when asked for' : '';
    return [`${name}${formatMs(finding.stepMs)} a step, on ${finding.adapter}${request}`];
  }
  return [`${name}no: ${finding.reason}`, `${' '.repeat(NAME_COLUMNS)}→ ${finding.remedy}`];
}

/** Three digits. */
function formatMs(ms: number): string {
  return `${Number(ms.toPrecision(3)).toLocaleString('en')} ms`;
}

function describeChoice(auto: BackendName | null, examinedCount: number): string {
  if (auto === null) return 'None of them is one that `freshet start` takes by itself.';
  return examinedCount === BACKEND_NAMES.length
    ? `\`freshet start\` takes ${auto}, unless --backend names another.`
    : `Of these, \`freshet start\` would take ${auto} first.`;
}
