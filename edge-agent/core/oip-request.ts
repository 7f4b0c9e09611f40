/**
 * Inference requests of the Open Inference Protocol v2, from the text of the body to checked tensors. Everything that
 * a client can get wrong is said in terms of its own request, with the field's path. Two steps: the envelope (shape of
 * the JSON) and the tensors (against what the model says), which is where another encoding of the contents would join.
 * https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md
 */
import { FreshetError } from '@freshet/protocol/errors';
import * as v from 'valibot';
import {
  type Datatype,
  elementCountOf,
  isDatatype,
  type ModelSignature,
  type NamedTensor,
  type TensorSignature,
} from './tensor.ts';
import { valuesFromJson } from './tensor-json.ts';

export interface RequestLimits {
  /** Elements of all inputs together. */
  readonly elementCountMax: number;
}

export interface OipRequest {
  readonly id: string | null;
  /** In the order of the request; the values are new arrays. */
  readonly inputs: readonly NamedTensor[];
  /** In the order of the request; all of the model's where it names none. */
  readonly outputs: readonly string[];
}

// The messages complete "must be …". Contents are left alone here: looking at each element through a schema takes far
// longer than parsing them.
const STRING = v.string('a string');
const CONTENTS = v.custom<readonly unknown[]>(Array.isArray, 'an array');
const LENGTH_MESSAGE = 'a whole number of at least 1';
const LENGTH = v.pipe(v.number(LENGTH_MESSAGE), v.safeInteger(LENGTH_MESSAGE), v.minValue(1, LENGTH_MESSAGE));

const INPUT = v.object(
  { name: STRING, shape: v.array(LENGTH, 'an array'), datatype: STRING, data: CONTENTS },
  'an object',
);

const ENVELOPE = v.object(
  {
    id: v.optional(STRING),
    inputs: v.array(INPUT, 'an array'),
    outputs: v.optional(v.array(v.object({ name: STRING }, 'an object'), 'an array')),
  },
  'an object',
);

type Envelope = v.InferOutput<typeof ENVELOPE>;
type EnvelopeInput = Envelope['inputs'][number];

/** @throws INPUT_INVALID, naming the field. */
export function parseInferRequest(
  body: string,
  signature: ModelSignature,
  limits: RequestLimits,
): OipRequest {
  const { id, inputs, outputs } = parseEnvelope(body);
  return {
    id: id ?? null,
    inputs: readInputs(inputs, signature, limits),
    outputs: chooseOutputs(outputs ?? [], signature),
  };
}

function parseEnvelope(body: string): Envelope {
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch (cause) {
    throw new FreshetError('INPUT_INVALID', 'the body is not JSON', { cause });
  }
  const result = v.safeParse(ENVELOPE, json, { abortEarly: true });
  if (result.success) return result.output;
  throw invalid(describeIssue(result.issues[0]));
}

function readInputs(
  inputs: readonly EnvelopeInput[],
  signature: ModelSignature,
  { elementCountMax }: RequestLimits,
): NamedTensor[] {
  let elementCount = 0;
  const tensors = new Map<string, NamedTensor>();
  for (const [i, input] of inputs.entries()) {
    const field = `inputs[${i}]`;
    if (tensors.has(input.name)) throw invalid(`${field}: input "${input.name}" is given twice`);
    const datatype = checkInput(input, signature, field);
    elementCount += elementCountOf(input.shape);
    if (elementCount > elementCountMax) {
      throw invalid(
        `${field}.shape: more than ${elementCountMax} elements in one request; send smaller batches`,
      );
    }
    const values = valuesFromJson(input.data, datatype, input.shape, `${field}.data`);
    tensors.set(input.name, { name: input.name, datatype, shape: input.shape, values });
  }
  const missing = signature.inputs.filter(({ name }) => !tensors.has(name));
  if (missing.length > 0) throw invalid(`inputs: ${namesOf(missing)} is missing`);
  return [...tensors.values()];
}

/** Checks the input against what the model says; its datatype comes back as one that exists. */
function checkInput(
  { name, datatype, shape }: EnvelopeInput,
  signature: ModelSignature,
  field: string,
): Datatype {
  const expected = signature.inputs.find((input) => input.name === name);
  if (expected === undefined) {
    throw invalid(`${field}: the model has no input "${name}"; it has ${namesOf(signature.inputs)}`);
  }
  if (!isDatatype(datatype)) {
    const reason =
      datatype === 'BYTES' ? 'BYTES tensors are not supported' : `unknown datatype "${datatype}"`;
    throw invalid(`${field}.datatype: ${reason}; input "${name}" is ${expected.datatype}`);
  }
  if (datatype !== expected.datatype) {
    throw invalid(`${field}.datatype: input "${name}" is ${expected.datatype}, not ${datatype}`);
  }
  if (!fitsShape(shape, expected.shape)) {
    throw invalid(
      `${field}.shape: input "${name}" is [${expected.shape.join(', ')}] (-1: any length), not [${shape.join(', ')}]`,
    );
  }
  return datatype;
}

function fitsShape(shape: readonly number[], expected: readonly number[]): boolean {
  if (expected.length === 0) return true;
  return (
    shape.length === expected.length &&
    expected.every((dimension, i) => dimension === -1 || dimension === shape[i])
  );
}

function chooseOutputs(outputs: readonly { name: string }[], signature: ModelSignature): string[] {
  const names =
    outputs.length === 0 ? signature.outputs.map(({ name }) => name) : outputs.map(({ name }) => name);
  const seen = new Set<string>();
  for (const [i, name] of names.entries()) {
    const output = signature.outputs.find((candidate) => candidate.name === name);
    if (output === undefined) {
      throw invalid(`outputs[${i}]: the model has no output "${name}"; it has ${namesOf(signature.outputs)}`);
    }
    if (output.datatype === 'FP16') {
      throw invalid(`outputs: "${name}" is FP16, which cannot be sent as JSON, only as binary tensor data`);
    }
    if (seen.has(name)) throw invalid(`outputs[${i}]: output "${name}" is asked for twice`);
    seen.add(name);
  }
  return names;
}

function namesOf(tensors: readonly TensorSignature[]): string {
  return tensors.map(({ name }) => `"${name}"`).join(', ');
}

function describeIssue(issue: v.BaseIssue<unknown>): string {
  // As one would write it in code: inputs[0].shape[1].
  const steps = issue.path?.map(({ key }) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`));
  const field = steps === undefined ? 'the body' : steps.join('').slice(1);
  if (issue.received === 'undefined') return `${field} is missing`;
  return `${field} must be ${issue.message}, not ${issue.received}`;
}

function invalid(message: string): FreshetError {
  return new FreshetError('INPUT_INVALID', message);
}
