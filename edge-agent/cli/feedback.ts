/** `freshet-agent feedback` */
import { setTimeout as delay } from 'node:timers/promises';
import { type CommonOptions, print } from '@freshet/protocol/local/command';
import { countOf, formatBytes } from '@freshet/protocol/local/format';
import { chunksOfFile, readJsonLines } from '@freshet/protocol/local/json-lines';
import { integerIn } from '@freshet/protocol/local/option-values';
import { type UploadResult, uploadSamples } from '@freshet/protocol/local/sample-upload';
import { SAMPLES_BODY_BYTES_MAX, SAMPLES_PER_REQUEST_MAX } from '@freshet/protocol/local/samples-api';
import { inputElementCount, type SampleFormat } from '@freshet/protocol/sample-format';
import { Command } from 'commander';
import type { FeedbackStatus, RefusedFeedback } from '../store/feedback-table.ts';
import { deviceCommand, withDevice } from './device.ts';

interface AddOptions extends CommonOptions {
  readonly batch: number;
  readonly fromLine: number;
  readonly waitSeconds: number;
}

const BATCH_DEFAULT = 200;
const WAIT_SECONDS_MAX = 24 * 60 * 60;

/** What the request around one sample takes. */
const ENVELOPE_BYTES = 64;

/** Refusals that a person is shown. */
const REFUSED_SHOWN = 10;

export function feedbackCommand(): Command {
  return new Command('feedback')
    .description('Give the trainer labelled samples from this device.')
    .addCommand(addCommand())
    .addCommand(feedbackStatusCommand())
    .addHelpText(
      'after',
      '\nExamples:\n  freshet-agent feedback add labelled.jsonl\n  freshet-agent feedback status',
    );
}

function addCommand(): Command {
  return deviceCommand('add', 'Queue the samples of a file, one JSON object on each line, for the hub.')
    .argument('<file>', 'the file; "-" for stdin')
    .option('--batch <count>', 'samples of one request', integerIn(1, SAMPLES_PER_REQUEST_MAX), BATCH_DEFAULT)
    .option('--from-line <number>', 'pass over the lines before this one', integerIn(1), 1)
    .option(
      '--wait-seconds <count>',
      'when the queue is full, wait so long for the hub to take some',
      integerIn(0, WAIT_SECONDS_MAX),
      0,
    )
    .addHelpText(
      'after',
      `
A line is {"input": [0, 127, …], "label": 7}, or with "target": [0.5, …] where the
model predicts numbers. "input" has the elements of one sample, row by row, or their
bytes in base64. With an "id", unique on this device, a sample is taken once, however
often it is added. What is queued is on disk, and is sent when the hub can be reached.

Examples:
  freshet-agent feedback add labelled.jsonl
  tail -f labels.jsonl | freshet-agent feedback add - --batch 1 --wait-seconds 600`,
    )
    .action(add);
}

async function add(file: string, options: AddOptions): Promise<void> {
  const name = file === '-' ? 'stdin' : file;
  const lines = readJsonLines(chunksOfFile(file), name, SAMPLES_BODY_BYTES_MAX - ENVELOPE_BYTES);
  const result = await withDevice(options, (device) =>
    uploadSamples(lines, {
      name,
      batchCount: options.batch,
      fromLine: options.fromLine,
      waitMs: 1000 * options.waitSeconds,
      post: (samples) => device.addSamples(samples),
      clock: () => performance.now(),
      sleep: delay,
      random: Math.random,
      onProgress: () => undefined,
    }),
  );
  print(options, result, () => describeResult(result));
}

function describeResult({ taken, duplicates, waiting, lines }: UploadResult): string {
  if (lines === 0) return 'no samples to add';
  const known = duplicates === 0 ? '' : `, ${duplicates} wait already`;
  return `${countOf(taken, 'sample')} queued${known}; ${waiting} wait to be sent`;
}

function feedbackStatusCommand(): Command {
  return deviceCommand('status', 'Show which samples wait to be sent, and what has become of the others.')
    .addHelpText(
      'after',
      '\nExamples:\n  freshet-agent feedback status\n  freshet-agent feedback status --json | jq .recentlyRefused',
    )
    .action(async (options: CommonOptions) => {
      const status = await withDevice(options, (device) => device.feedback());
      print(options, status, () => describeStatus(status));
    });
}

function describeStatus(status: FeedbackStatus): string {
  const { waiting, waitingBytes, samplesMax, bytesMax, oldestQueuedAtMs } = status;
  const since = oldestQueuedAtMs === null ? '' : `, the oldest since ${timeOf(oldestQueuedAtMs)}`;
  const rows: [string, string][] = [
    ['samples', describeFormat(status.format)],
    ['waiting', `${waiting} of at most ${samplesMax}${since}`],
    ['bytes', `${formatBytes(waitingBytes)} of at most ${formatBytes(bytesMax)}`],
    ['taken', `${status.taken}, and ${status.duplicates} that had been taken before`],
    ['refused', String(status.refused)],
  ];
  const lines = rows.map(([name, value]) => `${name.padEnd(9)}${value}`);
  return [...lines, ...describeRefused(status.recentlyRefused)].join('\n');
}

function describeFormat(format: SampleFormat | null): string {
  if (format === null) return 'not known before this device has reached its hub';
  const { inputShape, inputType, target } = format;
  const input = `${inputElementCount(format)} ${inputType} elements, shape [${inputShape.join(', ')}]`;
  if (target.kind === 'class') return `${input}; a label from 0 to ${target.classCount - 1}`;
  return `${input}; a target of ${countOf(target.elementCount, 'number')}`;
}

function describeRefused(refused: readonly RefusedFeedback[]): string[] {
  const shown = refused.slice(0, REFUSED_SHOWN).map(({ name, queuedAtMs, reason }) => {
    return `  ${name ?? 'without an id'}, queued ${timeOf(queuedAtMs)}: ${reason}`;
  });
  const hidden = refused.length - shown.length;
  return hidden === 0 ? shown : [...shown, `  and ${hidden} more, see --json`];
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString();
}
