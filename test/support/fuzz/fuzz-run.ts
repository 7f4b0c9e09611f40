/** Many steps of fuzzing one target, and what came of them. */
import { Session } from 'node:inspector';
import { setImmediate as turn } from 'node:timers/promises';
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
  /** What is wrong with the memory that all inputs together took, or null. */
  readonly excess: string | null;
}

export interface FuzzLimits {
  readonly frames: number;
  /** Called now and then with the number of steps taken; false ends the run. */
  goOn(frames: number): boolean;
}

/** Takes the steps 0, 1, … up to the first that fails. */
export async function fuzzRun(
  target: PreparedTarget,
  seed: number,
  { frames, goOn }: FuzzLimits,
): Promise<FuzzReport> {
  const refused: Partial<Record<ErrorCode, number>> = {};
  const heldBefore = heldBytes();
  const peakBefore = peakBytes();
  let decoded = 0;
  let taken = 0;
  let failure: FuzzFailure | null = null;
  let excess: string | null = null;
  while (taken < frames) {
    const outcome = fuzzFrame(target, seed, taken);
    taken++;
    if (outcome.kind === 'failed') {
      failure = outcome.failure;
      break;
    }
    if (outcome.kind === 'decoded') decoded++;
    else refused[outcome.code] = (refused[outcome.code] ?? 0) + 1;
    if (taken % FRAMES_PER_LOOK !== 0) continue;
    // As between two messages from a socket: node:zlib closes what has failed only then.
    await turn();
    excess = excessOf(heldBefore, peakBefore);
    if (excess !== null || !goOn(taken)) break;
  }
  return { frames: taken, decoded, refused, grownBytes: heldBytes() - heldBefore, failure, excess };
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
