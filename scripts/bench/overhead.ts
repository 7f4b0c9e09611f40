/** What publishing adds to a training step, on every backend that runs here. */
import { FreshetError } from '@freshet/protocol/errors';
import type { BackendName } from '@freshet/trainer/learn/backends/backend';
import { selectBackend } from '@freshet/trainer/learn/backends/select-backend';
import { describeMachine } from './machine.ts';
import { type CaseOptions, measureOverhead } from './overhead-case.ts';
import type { OverheadCase, OverheadModel, OverheadReport } from './overhead-report.ts';
import { openSubject } from './overhead-subject.ts';

/** The paper (Prapas et al. 2021): 1.27 to 3.13. */
const FACTOR_MAX = 1.1;

export interface OverheadOptions extends CaseOptions {
  readonly backends: readonly BackendName[];
  readonly models: readonly OverheadModel[];
  readonly seed: number;
}

/** `note` gets a line on what is being done. */
export async function benchOverhead(
  options: OverheadOptions,
  note: (line: string) => void,
): Promise<OverheadReport> {
  const absent: { backend: BackendName; reason: string }[] = [];
  const cases: OverheadCase[] = [];
  for (const backend of options.backends) {
    const reason = await start(backend);
    if (reason !== null) {
      note(`${backend}: left out, ${reason}`);
      absent.push({ backend, reason });
      continue;
    }
    for (const model of options.models) {
      note(`${backend}: ${model} …`);
      const subject = await openSubject(model, options.seed);
      const measured = await measureOverhead(subject, options);
      subject.dispose();
      cases.push(...measured.map((each) => ({ backend, ...each })));
    }
  }
  const machine = describeMachine();
  return { bench: 'overhead', seed: options.seed, machine, absent, cases, factorMax: FACTOR_MAX };
}

/** Makes tfjs use `backend`. Returns why it cannot, or null. */
async function start(backend: BackendName): Promise<string | null> {
  try {
    await selectBackend(backend);
    return null;
  } catch (error) {
    if (error instanceof FreshetError && error.code === 'BACKEND_UNAVAILABLE') return error.message;
    throw error;
  }
}
