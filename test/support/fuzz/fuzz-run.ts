/** Many steps of fuzzing one target, and what came of them. */
import { Session } from 'node:inspector/promises';
import { setImmediate as turn } from 'node:timers/promises';
import type { ErrorCode } from '@freshet/protocol/errors';
import { type FuzzFailure, fuzzFrame, heldBytes, type PreparedTarget } from './fuzz-frame.ts';

/** What a run may leave behind once garbage is collected: compiled code, and nothing that grows with its length. */
const LEFT_BYTES_MAX = 16 * 1024 * 1024;
/** Garbage that is worth collecting for a look at what is left. */
const GARBAGE_BYTES_MAX = 64 * 1024 * 1024;
/** By how much the process may ever grow meanwhile. */
const PEAK_BYTES_MAX = 1024 * 1024 * 1024;
const FRAMES_PER_LOOK = 1024;

export interface FuzzReport {
  readonly frames: number;
  readonly decoded: number;
  readonly refused: Readonly<Partial<Record<ErrorCode, number>>>;
  /** Held at the end, without garbage, less what was held at the beginning. */
  readonly leftBytes: number;
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
  const before = await memoryNow();
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
    if (heldBytes() - before.heldBytes > GARBAGE_BYTES_MAX) excess = excessOver(before, await memoryNow());
    if (excess !== null || !goOn(taken)) break;
  }
  const after = await memoryNow();
  excess ??= excessOver(before, after);
  return { frames: taken, decoded, refused, leftBytes: after.heldBytes - before.heldBytes, failure, excess };
}

/** Of this process, once garbage is collected. */
interface Memory {
  readonly heldBytes: number;
  /** The most that it has ever had from the system. */
  readonly peakBytes: number;
}

async function memoryNow(): Promise<Memory> {
  await collectGarbage();
  return { heldBytes: heldBytes(), peakBytes: process.resourceUsage().maxRSS * 1024 };
}

/** What is wrong with `after`, or null. */
function excessOver(before: Memory, after: Memory): string | null {
  const left = after.heldBytes - before.heldBytes;
  if (left > LEFT_BYTES_MAX) return `${left} bytes are left behind`;
  const peak = after.peakBytes - before.peakBytes;
  return peak > PEAK_BYTES_MAX ? `the process has grown by ${peak} bytes` : null;
}

/**
 * As `gc` of --expose-gc does, for a process that was started without. Twice, because what is collected gives its native
 * memory back in a turn of its own, and what that held is garbage only then.
 */
async function collectGarbage(): Promise<void> {
  const session = new Session();
  session.connect();
  for (let i = 0; i < 2; i++) {
    // V8 does it in a task: it is done when the answer comes.
    await session.post('HeapProfiler.collectGarbage');
    await turn();
  }
  session.disconnect();
}
