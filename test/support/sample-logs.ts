/** Sample logs of tests: small formats, samples that show which they are, and both ends of a log on one file. */
import { join } from 'node:path';
import type { IncomingSample, SampleFormat } from '@freshet/protocol/sample-format';
import {
  LearnerSampleLog,
  type LearnerSampleLogOptions,
} from '../../trainer/history/sample-log/learner-sample-log.ts';
import { SampleInbox, type SampleInboxOptions } from '../../trainer/history/sample-log/sample-inbox.ts';
import type { Cleanup } from './serving.ts';
import { temporaryDirectory } from './temporary-directory.ts';

export const SAMPLE_FILE = 'samples.sqlite';

export const DIGITS: SampleFormat = {
  inputShape: [3, 2, 1],
  inputType: 'uint8',
  target: { kind: 'class', classCount: 10 },
};

export const SENSORS: SampleFormat = {
  inputShape: [4],
  inputType: 'float32',
  target: { kind: 'vector', elementCount: 2 },
};

/** Samples are told apart by their first elements, for n below 2^16. */
export function digit(n: number, id: string | null = null): IncomingSample {
  return { id, input: Uint8Array.of(n % 256, n >> 8, 0, 255, 7, 1), target: n % 10 };
}

export function reading(n: number, id: string | null = null): IncomingSample {
  return { id, input: Float32Array.of(n, -n, 0.1, 1e-40), target: Float32Array.of(n / 3, -0) };
}

export const NOW_MS = 1_700_000_000_000;

/** A path for a log, in a directory that goes with the test. */
export function samplePath(test: Cleanup): string {
  return join(temporaryDirectory(test), SAMPLE_FILE);
}

export function openInbox(
  test: Cleanup,
  path: string,
  options: Partial<SampleInboxOptions> = {},
): SampleInbox {
  const inbox = SampleInbox.open(path, { format: DIGITS, clock: () => NOW_MS, ...options });
  test.after(() => inbox.close());
  return inbox;
}

export function openLearnerLog(
  test: Cleanup,
  path: string,
  options: Partial<LearnerSampleLogOptions> = {},
): LearnerSampleLog {
  const log = LearnerSampleLog.open(path, { format: DIGITS, clock: () => NOW_MS, ...options });
  test.after(() => log.close());
  return log;
}
