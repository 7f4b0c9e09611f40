/**
 * Sends samples to a process in batches, one after the other, and slows down when the process cannot keep up. Whatever
 * ends it says up to which line samples were taken.
 */

import * as v from 'valibot';
import { FreshetError } from '../errors.ts';
import type { JsonLine } from './json-lines.ts';
import type { SamplesAnswer } from './samples-api.ts';

export interface UploadOptions {
  /** Of the file, for messages. */
  readonly name: string;
  /** Samples of one request. */
  readonly batchCount: number;
  /** Passes over the lines before. */
  readonly fromLine: number;
  /** Gives up when the process has taken nothing for so long. */
  readonly waitMs: number;
  /** Posts a batch. @throws what the process refuses with; NOT_READY where the same may be sent again later */
  readonly post: (samples: readonly unknown[]) => Promise<SamplesAnswer>;
  /** Milliseconds, from any point. */
  readonly clock: () => number;
  readonly sleep: (ms: number) => Promise<unknown>;
  /** In [0, 1). */
  readonly random: () => number;
  /** Bytes of the file that have been dealt with. */
  readonly onProgress: (bytes: number) => void;
}

export interface UploadResult extends SamplesAnswer {
  /** Lines with a sample, of those that were sent. */
  readonly lines: number;
}

/** So that a batch fits a request with room for what JSON adds. */
const BATCH_BYTES_MAX = 4 * 1024 * 1024;

const DELAY_MS_MAX = 10_000;
const RETRY_AFTER_MS_DEFAULT = 1000;

const refusalSchema = v.object({
  refused: v.pipe(
    v.array(v.object({ index: v.number(), field: v.string(), reason: v.string() })),
    v.minLength(1),
  ),
});

/** @throws INPUT_INVALID, NOT_READY, UNREACHABLE, … with the line at which to go on */
export async function uploadSamples(
  lines: AsyncIterable<JsonLine>,
  options: UploadOptions,
): Promise<UploadResult> {
  let result: UploadResult = { taken: 0, duplicates: 0, waiting: 0, lines: 0 };
  let nextLine = options.fromLine;
  try {
    for await (const batch of batchesOf(lines, options)) {
      const answer = await postPatiently(batch, options);
      result = {
        taken: result.taken + answer.taken,
        duplicates: result.duplicates + answer.duplicates,
        waiting: answer.waiting,
        lines: result.lines + batch.length,
      };
      const last = batch.at(-1)!;
      nextLine = last.number + 1;
      options.onProgress(last.endBytes);
    }
  } catch (error) {
    throw error instanceof FreshetError ? withPlace(error, result, nextLine) : error;
  }
  return result;
}

async function* batchesOf(
  lines: AsyncIterable<JsonLine>,
  { batchCount, fromLine }: UploadOptions,
): AsyncGenerator<readonly JsonLine[]> {
  let batch: JsonLine[] = [];
  let byteCount = 0;
  for await (const line of lines) {
    if (line.number < fromLine) continue;
    if (batch.length > 0 && byteCount + line.byteCount > BATCH_BYTES_MAX) {
      yield batch;
      batch = [];
      byteCount = 0;
    }
    batch.push(line);
    byteCount += line.byteCount;
    // Not with the next line: on a pipe that may be a long time coming.
    if (batch.length === batchCount) {
      yield batch;
      batch = [];
      byteCount = 0;
    }
  }
  if (batch.length > 0) yield batch;
}

async function postPatiently(batch: readonly JsonLine[], options: UploadOptions): Promise<SamplesAnswer> {
  const startMs = options.clock();
  const samples = batch.map(({ value }) => value);
  for (let refusals = 1; ; refusals++) {
    try {
      return await options.post(samples);
    } catch (error) {
      if (!(error instanceof FreshetError)) throw error;
      if (error.code !== 'NOT_READY') throw inWordsOfLines(error, batch, options.name);
      const delayMs = pushBackDelayMs(refusals, retryAfterMsOf(error), options.random);
      if (options.clock() - startMs + delayMs > options.waitMs) throw error;
      await options.sleep(delayMs);
    }
  }
}

/**
 * How long to wait after `refusals` (≥ 1) in a row: at least what the process asks for; beyond that exponential with full
 * jitter, so that many clients do not come back all at once.
 */
export function pushBackDelayMs(refusals: number, retryAfterMs: number, random: () => number): number {
  const ceiling = Math.max(retryAfterMs, Math.min(DELAY_MS_MAX, retryAfterMs * 2 ** Math.min(refusals, 30)));
  return retryAfterMs + random() * (ceiling - retryAfterMs);
}

function retryAfterMsOf(error: FreshetError): number {
  const seconds = error.details['retryAfterSeconds'];
  return typeof seconds === 'number' ? 1000 * seconds : RETRY_AFTER_MS_DEFAULT;
}

/** A refusal of samples by their lines instead of their places in the request. */
function inWordsOfLines(error: FreshetError, batch: readonly JsonLine[], name: string): FreshetError {
  const refusal = v.safeParse(refusalSchema, error.details['answer']);
  if (!refusal.success) return error;
  const { refused } = refusal.output;
  const [first] = refused;
  const line = batch[first?.index ?? 0];
  if (first === undefined || line === undefined) return error;
  const others = refused.length === 1 ? '' : ` (and ${refused.length - 1} more of the same batch)`;
  const message = `${name}, line ${line.number}: ${first.field} ${first.reason}${others}`;
  return new FreshetError(error.code, message, { cause: error, details: error.details });
}

function withPlace(error: FreshetError, { lines }: UploadResult, nextLine: number): FreshetError {
  const done =
    lines === 0
      ? 'no line was taken'
      : `the lines before ${nextLine} were taken: go on with --from-line ${nextLine}`;
  // The answer may have got lost on its way.
  const unknown = error.code === 'UNREACHABLE' ? ' (one with an "id" is never taken twice)' : '';
  return new FreshetError(error.code, `${error.message}; ${done}${unknown}`, {
    cause: error,
    details: error.details,
  });
}
