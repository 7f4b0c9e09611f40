/** `freshet-agent infer` */
import { readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { FreshetError } from '@freshet/protocol/errors';
import { type CommonOptions, print } from '@freshet/protocol/local/command';
import type { Command } from 'commander';
import * as v from 'valibot';
import { elementCountOf, type ModelSignature, type TensorSignature } from '../core/tensor.ts';
import { digitInput } from '../serve/png-input.ts';
import { deviceCommand, withDevice } from './device.ts';

export function inferCommand(): Command {
  return deviceCommand(
    'infer',
    'Predict: the digits on PNG images, or whatever a JSON request on stdin asks.',
  )
    .argument('[image...]', 'PNG images of one digit each; without any, JSON is read from stdin')
    .addHelpText(
      'after',
      `
JSON is an Open Inference Protocol request, or just an array of the input's values.

Examples:
  freshet-agent infer seven.png
  freshet-agent infer --json seven.png | jq -r .model_version
  echo '{"inputs": [{"name": "input", "shape": [1, 28, 28, 1], "datatype": "FP32", "data": […]}]}' | freshet-agent infer`,
    )
    .action(infer);
}

async function infer(images: readonly string[], options: CommonOptions): Promise<void> {
  const files = images.map((path) => readImage(path));
  const body = files.length === 0 ? parseBody(await text(process.stdin)) : null;
  const answer = await withDevice(options, async (device) => {
    const signature = await device.signature();
    return device.infer(body === null ? requestOfImages(files, signature) : requestOfBody(body, signature));
  });
  print(options, answer, () => describeAnswer(answer, images));
}

function readImage(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new FreshetError('INPUT_INVALID', `cannot read the image ${path}`, { cause });
  }
}

function parseBody(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch (cause) {
    const why = json.trim() === '' ? 'stdin is empty' : 'stdin is not JSON';
    throw new FreshetError('INPUT_INVALID', `${why}: give PNG images as arguments, or a JSON request`, {
      cause,
    });
  }
}

/** A batch of the images, in order. */
function requestOfImages(files: readonly Uint8Array[], signature: ModelSignature): unknown {
  const input = onlyInput(signature);
  const digits = files.map((file) => digitInput(file, input));
  const shape = [files.length, ...digits[0]!.shape.slice(1)];
  const data = digits.flatMap(({ values }) => [...values]);
  return { inputs: [{ name: input.name, datatype: input.datatype, shape, data }] };
}

/** A request is passed on as it is; the mere values of an input are put into one. */
function requestOfBody(body: unknown, signature: ModelSignature): unknown {
  if (!Array.isArray(body)) return body;
  const input = onlyInput(signature);
  const data: unknown[] = body.flat(Number.POSITIVE_INFINITY);
  const sample = input.shape.slice(1);
  const count = data.length / elementCountOf(sample);
  if (!Number.isInteger(count) || count === 0) {
    throw new FreshetError(
      'INPUT_INVALID',
      `${data.length} values do not make samples of [${sample.join(', ')}], which input "${input.name}" takes`,
    );
  }
  return { inputs: [{ name: input.name, datatype: input.datatype, shape: [count, ...sample], data }] };
}

function onlyInput({ inputs }: ModelSignature): TensorSignature {
  const [input] = inputs;
  if (input !== undefined && inputs.length === 1) return input;
  const names = inputs.map(({ name }) => name).join(', ');
  throw new FreshetError(
    'INPUT_INVALID',
    `the model has ${inputs.length} inputs (${names}): send a JSON request`,
  );
}

const answerSchema = v.object({
  model_name: v.string(),
  model_version: v.string(),
  outputs: v.array(v.object({ name: v.string(), shape: v.array(v.number()), data: v.array(v.number()) })),
});

/** One line per sample: the likeliest class of a classifier's scores, with its softmax. */
function describeAnswer(answer: unknown, images: readonly string[]): string {
  const { model_name: model, model_version: version, outputs } = v.parse(answerSchema, answer);
  const lines = outputs.flatMap(({ name, shape, data }) => {
    const [count = 1, ...rest] = shape;
    const width = elementCountOf(rest);
    return Array.from({ length: count }, (_, row) => {
      const scores = data.slice(row * width, (row + 1) * width);
      return `${images[row] ?? `${name}[${row}]`}: ${describeScores(scores)}`;
    });
  });
  return [...lines, `(${model}, version ${version})`].join('\n');
}

function describeScores(scores: readonly number[]): string {
  const highest = Math.max(...scores);
  const total = scores.reduce((sum, score) => sum + Math.exp(score - highest), 0);
  return `${scores.indexOf(highest)} (${(100 / total).toFixed(1)} %)`;
}
