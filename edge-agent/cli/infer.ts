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

/** Makes the request once it is known what the model takes. */
type RequestMaker = (signature: ModelSignature) => unknown;

async function infer(images: readonly string[], options: CommonOptions): Promise<void> {
  const requestFor = images.length === 0 ? requestOfBody(await readBody()) : requestOfImages(images);
  const answer = await withDevice(options, async (device) =>
    device.infer(requestFor(await device.signature())),
  );
  print(options, answer, () => describeAnswer(answer, images));
}

async function readBody(): Promise<unknown> {
  if (process.stdin.isTTY) process.stderr.write('reading a JSON request from the terminal, up to Ctrl-D\n');
  const json = await text(process.stdin);
  try {
    return JSON.parse(json);
  } catch (cause) {
    const why = json.trim() === '' ? 'stdin is empty' : 'stdin is not JSON';
    throw new FreshetError('INPUT_INVALID', `${why}: give PNG images as arguments, or a JSON request`, {
      cause,
    });
  }
}

/** A batch of the images, in order. They are read at once. */
function requestOfImages(paths: readonly string[]): RequestMaker {
  const files = paths.map((path) => ({ path, png: readImage(path) }));
  return (signature) => {
    const input = onlyInput(signature);
    const digits = files.map(({ path, png }) => naming(path, () => digitInput(png, input)));
    const shape = [files.length, ...digits[0]!.shape.slice(1)];
    const data = digits.flatMap(({ values }) => [...values]);
    return { inputs: [{ name: input.name, datatype: input.datatype, shape, data }] };
  };
}

function readImage(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : String(cause);
    throw new FreshetError('INPUT_INVALID', `cannot read the image ${path} (${code})`, { cause });
  }
}

/** What is wrong with one of several images says which. */
function naming<Result>(path: string, read: () => Result): Result {
  try {
    return read();
  } catch (cause) {
    if (!(cause instanceof FreshetError)) throw cause;
    throw new FreshetError(cause.code, `${path}: ${cause.message}`, { cause });
  }
}

/** A request is passed on as it is; the mere values of an input are put into one. */
function requestOfBody(body: unknown): RequestMaker {
  return (signature) => (Array.isArray(body) ? requestOfValues(body, signature) : body);
}

function requestOfValues(values: readonly unknown[], signature: ModelSignature): unknown {
  const input = onlyInput(signature);
  const data = values.flat(Number.POSITIVE_INFINITY);
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
