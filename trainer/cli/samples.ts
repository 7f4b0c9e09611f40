/** `freshet samples` */
import { statSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { type CommonOptions, print } from '@freshet/protocol/local/command';
import { countOf } from '@freshet/protocol/local/format';
import type { HttpClient } from '@freshet/protocol/local/http-client';
import { chunksOfFile, readJsonLines } from '@freshet/protocol/local/json-lines';
import { integerIn } from '@freshet/protocol/local/option-values';
import { type UploadResult, uploadSamples } from '@freshet/protocol/local/sample-upload';
import {
  SAMPLES_BODY_BYTES_MAX,
  SAMPLES_PATH,
  SAMPLES_PER_REQUEST_MAX,
  type SamplesAnswer,
} from '@freshet/protocol/local/samples-api';
import { SingleBar } from 'cli-progress';
import { Command } from 'commander';
import { trainerClient, trainerCommand } from './trainer-client.ts';

interface AddOptions extends CommonOptions {
  readonly batch: number;
  readonly fromLine: number;
  readonly waitSeconds: number;
}

const BATCH_DEFAULT = 200;
const WAIT_SECONDS_DEFAULT = 300;
const WAIT_SECONDS_MAX = 24 * 60 * 60;

/** What the request around one sample takes. */
const ENVELOPE_BYTES = 64;

export function samplesCommand(): Command {
  return new Command('samples')
    .description('Give the trainer labelled samples to learn from.')
    .addCommand(addSamplesCommand())
    .addHelpText(
      'after',
      '\nExamples:\n  freshet samples add today.jsonl\n  tail -f labels.jsonl | freshet samples add -',
    );
}

function addSamplesCommand(): Command {
  return trainerCommand('add', 'Add the samples of a file, one JSON object on each line, to the stream.')
    .argument('<file>', 'the file; "-" for stdin')
    .option('--batch <count>', 'samples of one request', integerIn(1, SAMPLES_PER_REQUEST_MAX), BATCH_DEFAULT)
    .option('--from-line <number>', 'pass over the lines before this one', integerIn(1), 1)
    .option(
      '--wait-seconds <count>',
      'give up when the trainer has taken nothing for so long',
      integerIn(0, WAIT_SECONDS_MAX),
      WAIT_SECONDS_DEFAULT,
    )
    .addHelpText(
      'after',
      `
A line is {"input": [0, 127, …], "label": 7}, or with "target": [0.5, …] where the
model predicts numbers. "input" has the elements of the recipe's input shape, row by
row, or their bytes in base64. With an "id" a sample is taken once, however often it
is sent. While too many samples wait to be trained on, the command waits as well.

Examples:
  freshet samples add today.jsonl
  freshet samples add today.jsonl --from-line 1201
  tail -f labels.jsonl | freshet samples add - --batch 1`,
    )
    .action(add);
}

async function add(file: string, options: AddOptions): Promise<void> {
  const client = trainerClient(options);
  const name = file === '-' ? 'stdin' : file;
  const progress = progressOf(file);
  const lines = readJsonLines(chunksOfFile(file), name, SAMPLES_BODY_BYTES_MAX - ENVELOPE_BYTES);
  let result: UploadResult;
  try {
    result = await uploadSamples(lines, {
      name,
      batchCount: options.batch,
      fromLine: options.fromLine,
      waitMs: 1000 * options.waitSeconds,
      post: (samples) => postSamples(client, samples),
      clock: () => performance.now(),
      sleep: delay,
      random: Math.random,
      onProgress: (bytes) => progress?.update(bytes),
    });
  } finally {
    progress?.stop();
  }
  print(options, result, () => describe(result));
}

async function postSamples(client: HttpClient, samples: readonly unknown[]): Promise<SamplesAnswer> {
  return (await client.call('POST', SAMPLES_PATH, { samples })) as SamplesAnswer;
}

/** A progress bar over the bytes of the file, where there is one and somebody looks. */
function progressOf(file: string): SingleBar | null {
  if (!process.stderr.isTTY || file === '-') return null;
  const stat = statSync(file, { throwIfNoEntry: false });
  if (stat === undefined || stat.size === 0) return null;
  const bar = new SingleBar({ format: 'samples {bar} {percentage} % | {eta} s left' });
  bar.start(stat.size, 0);
  return bar;
}

function describe({ taken, duplicates, waiting, lines }: UploadResult): string {
  if (lines === 0) return 'no samples to add';
  const known = duplicates === 0 ? '' : `, ${duplicates} had been taken before`;
  return `${countOf(taken, 'sample')} taken${known}; ${waiting} wait to be trained on`;
}
