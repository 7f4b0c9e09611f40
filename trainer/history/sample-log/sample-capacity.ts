/** How many samples a log may hold, and what they may be: from limits in samples and in bytes. Pure. */
import { FreshetError } from '@freshet/protocol/errors';
import type { SampleFormat } from '@freshet/protocol/sample-format';
import { payloadBytes } from './sample.ts';

/** Each at least 1. */
export interface SampleLimits {
  /** Samples that have been trained on and are kept to be drawn again. */
  readonly historyMax: number;
  /** Samples that wait to be trained on: while there are so many, no more are taken. */
  readonly waitingMax: number;
  /**
   * Of all rows. The file is larger by pages that are partly empty, and by what ids of forgotten samples take, and does
   * not shrink: room that forgetting leaves is used again.
   */
  readonly bytesMax: number;
}

export const SAMPLE_LIMITS_DEFAULT: SampleLimits = {
  historyMax: 1_000_000,
  waitingMax: 10_000,
  bytesMax: 4 * 1024 ** 3,
};

export interface SampleCapacity {
  /** What one sample counts, in bytes. */
  readonly sampleBytes: number;
  /** All samples together. */
  readonly samplesMax: number;
  /** Nothing is taken while so many wait, and at most so many at a time: fewer than twice as many ever wait. */
  readonly waitingMax: number;
  /** What a sampler of this log may keep. */
  readonly historyMax: number;
}

/** A row around its payload: arrival, key and its entry in the index, time, origin, checksum, lengths. */
export const ROW_BYTES = 128;

/** Of the samples, waiting ones may be this part at most, however few fit: the rest is history. */
const WAITING_SHARE = 1 / 4;
/** One waits, one has been trained on and is to be forgotten, one is history. */
const SAMPLES_MIN = 3;

/**
 * Beside history and waiting samples there is room for as many as may wait: those that have been trained on since the
 * last checkpoint and are to be forgotten with the next.
 * @throws CONFIG_INVALID when not even three samples fit
 */
export function capacityOf(format: SampleFormat, limits: SampleLimits): SampleCapacity {
  const sampleBytes = payloadBytes(format) + ROW_BYTES;
  const fitting = Math.floor(limits.bytesMax / sampleBytes);
  const samplesMax = Math.min(limits.historyMax + 2 * limits.waitingMax, fitting);
  if (samplesMax < SAMPLES_MIN) {
    throw new FreshetError(
      'CONFIG_INVALID',
      `the sample log is limited to ${limits.bytesMax} bytes, in which ${fitting} samples of ${sampleBytes} bytes fit: ` +
        `allow at least ${SAMPLES_MIN * sampleBytes} bytes`,
    );
  }
  const waitingMax = Math.max(1, Math.min(limits.waitingMax, Math.floor(WAITING_SHARE * samplesMax)));
  const historyMax = Math.min(limits.historyMax, samplesMax - 2 * waitingMax);
  return { sampleBytes, samplesMax, waitingMax, historyMax };
}
