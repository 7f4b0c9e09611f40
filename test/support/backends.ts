/** The tfjs backends that this machine has: what every one of them must do is tested on each. */
import { FreshetError } from '@freshet/protocol/errors';
import { BACKEND_NAMES, type BackendName } from '@freshet/trainer/learn/backends/backend';
import { selectBackend } from '@freshet/trainer/learn/backends/select-backend';

export interface PresentBackends {
  readonly present: readonly BackendName[];
  /** One line `name: reason` for each other. */
  readonly absent: readonly string[];
}

/** Starts each of them once; `cpu` and `wasm` are always among them, or this throws. */
export async function presentBackends(): Promise<PresentBackends> {
  const present: BackendName[] = [];
  const absent: string[] = [];
  for (const name of BACKEND_NAMES) {
    try {
      await selectBackend(name);
      present.push(name);
    } catch (error) {
      if (!(error instanceof FreshetError) || name === 'wasm' || name === 'cpu') throw error;
      absent.push(`${error.details['why']}`);
    }
  }
  return { present, absent };
}
