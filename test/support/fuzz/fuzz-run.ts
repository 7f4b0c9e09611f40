/** Many steps of fuzzing one target, and what came of them. */
import { Session } from 'node:inspector';
import type { ErrorCode } from '@freshet/protocol/errors';
import { type FuzzFailure, fuzzFrame, heldBytes, type PreparedTarget } from './fuzz-frame.ts';

/** What a run may leave behind in all, once garbage is collected; and by how much the process may ever grow meanwhile. */
const LEFT_BYTES_MAX = 64 * 1024 * 1024;
const PEAK_BYTES_MAX = 1024 * 1024 * 1024;
const FRAMES_PER_LOOK = 1024;

export interface FuzzReport {
  readonly frames: number;
  readonly decoded: number;
  readonly refused: Readonly<Partial<Record<ErrorCode, number>>>;
  /** Held at the end, garbage included, less what was held at the beginning. */
  readonly grownBytes: number;
  readonly failure: FuzzFailure | null;
}

export interface FuzzLimits {
  readonly frames: number;
  /** Called now and then with the number of steps taken; false ends the run. */
  goOn(frames: number): boolean;
}

/** Takes the steps 0, 1, … up to the first that fails. */
export function fuzzRun(target: PreparedTarget, seed: number, { frames, goOn }: FuzzLimits): FuzzReport {
  const refused: Partial<Record<ErrorCode, number>> = {};
  const heldBefore = heldBytes();
  const peakBefore = peakBytes();
  let decoded = 0;
  let taken = 0;
  const report = (failure: FuzzFailure | null): FuzzReport => ({
    frames: taken,
    decoded,
    refused,
    grownBytes: heldBytes() - heldBefore,
    failure,
  });
  while (taken < frames) {
    const outcome = fuzzFrame(target, seed, taken);
    taken++;
    if (outcome.kind === 'failed') return report(outcome.failure);
    if (outcome.kind === 'decoded') decoded++;
    else refused[outcome.code] = (refused[outcome.code] ?? 0) + 1;
    if (taken % FRAMES_PER_LOOK !== 0) continue;
    const excess = excessOf(heldBefore, peakBefore);
    if (excess !== null) {
      const error = new TypeError(`after ${taken} inputs, ${excess}`);
      return report({ frame: taken - 1, bytes: new Uint8Array(0), sampleIndex: 0, error });
    }
    if (!goOn(taken)) break;
  }
  return report(null);
}

/** What is wrong with the memory of this process, or null. */
function excessOf(heldBefore: number, peakBefore: number): string | null {
  const peak = peakBytes() - peakBefore;
  if (peak > PEAK_BYTES_MAX) return `the process has grown by ${peak} bytes`;
  if (heldBytes() - heldBefore <= LEFT_BYTES_MAX) return null;
  collectGarbage();
  const left = heldBytes() - heldBefore;
  return left > LEFT_BYTES_MAX ? `${left} bytes are left behind` : null;
}

function peakBytes(): number {
  return process.resourceUsage().maxRSS * 1024;
}

/** As `gc` of --expose-gc does, for a process that was started without. */
function collectGarbage(): void {
  const session = new Session();
  session.connect();
  session.post('HeapProfiler.collectGarbage');
  session.disconnect();
}
