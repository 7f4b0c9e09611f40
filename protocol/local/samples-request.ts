/**
 * What POST /api/v1/samples of the trainer and POST /v1/feedback of a device accept: `{"samples": [{id?, input, label |
 * target}]}` in JSON or MessagePack. A request is good as a whole or refused as a whole, with the reason for each sample
 * that is not good.
 */

import * as v from 'valibot';
import { FreshetError } from '../errors.ts';
import { checkSample, type IncomingSample, type RawSample, type SampleFormat } from '../sample-format.ts';
import { readMsgpackDocument } from './msgpack-document.ts';
import type { RefusedSample } from './samples-api.ts';

export type BodyType = 'json' | 'msgpack';

export type SamplesRequest =
  | { readonly kind: 'good'; readonly samples: readonly IncomingSample[] }
  /** Not empty. */
  | { readonly kind: 'refused'; readonly refused: readonly RefusedSample[] };

/** Whether a request may name one id twice; what becomes of the second sample is the caller's business then. */
export type RepeatedIds = 'refused' | 'allowed';

/** Of an id in UTF-16 units: room for a UUID, a device's name and a number. */
export const SAMPLE_ID_LENGTH_MAX = 200;

/** Arrays of numbers cost memory for each number; inputs as bytes count as one item. */
const ITEMS_MAX = 2 ** 20;
/** map → samples → sample → input */
const DEPTH_MAX = 4;

const FIELDS = ['id', 'input', 'label', 'target'];

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

const envelopeSchema = v.strictObject({ samples: v.array(v.unknown()) });

/** For whoever sends another type of body. */
export const BODY_TYPES_HINT =
  "Content-Type: send application/json or application/msgpack; curl -d says neither without -H 'Content-Type: application/json'";

/** The type of body that a Content-Type header names, JSON without one; null for any other. */
export function bodyTypeOf(contentType: string | undefined): BodyType | null {
  const type = contentType?.split(';')[0]?.trim().toLowerCase() ?? '';
  if (['application/msgpack', 'application/x-msgpack', 'application/vnd.msgpack'].includes(type)) {
    return 'msgpack';
  }
  return ['', 'application/json', 'text/plain'].includes(type) ? 'json' : null;
}

/**
 * The samples of a request of 1 to `countMax`. Inputs may be views on `body`.
 * @throws INPUT_INVALID for a body that is no list of samples
 */
export function readSamples(
  body: Uint8Array,
  type: BodyType,
  format: SampleFormat,
  countMax: number,
  repeatedIds: RepeatedIds = 'refused',
): SamplesRequest {
  const document = type === 'json' ? parseJson(body) : readMsgpackDocument(body, LIMITS);
  const raws = samplesOf(document);
  if (raws.length === 0) throw invalid('samples: there is none');
  if (raws.length > countMax)
    throw invalid(`samples: ${raws.length} are too many, send at most ${countMax} at a time`);
  const ids = new Map<string, number>();
  const samples: IncomingSample[] = [];
  const refused: RefusedSample[] = [];
  for (const [index, raw] of raws.entries()) {
    const read = readSample(raw, format, (id) =>
      repeatedIds === 'refused' ? firstUse(ids, id, index) : null,
    );
    if ('reason' in read) refused.push({ index, ...read });
    else samples.push(read);
  }
  return refused.length === 0 ? { kind: 'good', samples } : { kind: 'refused', refused };
}

const LIMITS = { depthMax: DEPTH_MAX, itemsMax: ITEMS_MAX };

function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch (cause) {
    throw new FreshetError('INPUT_INVALID', 'the body is not JSON', { cause });
  }
}

function samplesOf(document: unknown): readonly unknown[] {
  const parsed = v.safeParse(envelopeSchema, document);
  if (parsed.success) return parsed.output.samples;
  const [issue] = parsed.issues;
  throw invalid(`the body is not {"samples": […]}${problemOfEnvelope(issue)}`);
}

function problemOfEnvelope(issue: v.BaseIssue<unknown>): string {
  const field = v.getDotPath(issue);
  if (field === null) return '';
  if (issue.expected === 'never') return `: ${field} is not known`;
  return issue.input === undefined ? `: ${field} is missing` : `: ${field} is not a list`;
}

/** Index of the sample that has used `id` before this one, or null. */
function firstUse(ids: Map<string, number>, id: string, index: number): number | null {
  const first = ids.get(id);
  if (first === undefined) ids.set(id, index);
  return first ?? null;
}

type Problem = Omit<RefusedSample, 'index'>;

function readSample(
  raw: unknown,
  format: SampleFormat,
  firstUseOf: (id: string) => number | null,
): IncomingSample | Problem {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw) || ArrayBuffer.isView(raw)) {
    return { field: 'sample', reason: 'is not an object with "input" and "label" or "target"' };
  }
  const unknown = Object.keys(raw).find((name) => !FIELDS.includes(name));
  if (unknown !== undefined) {
    return { field: unknown, reason: `is not a field of a sample: there are ${FIELDS.join(', ')}` };
  }
  const { id, ...rest }: { id?: unknown } & RawSample = raw;
  const idProblem = problemOfId(id, firstUseOf);
  if (idProblem !== null) return { field: 'id', reason: idProblem };
  const given = elementsOf(rest.input, format);
  if (given.kind === 'problem') return { field: 'input', reason: given.reason };
  const problem = checkSample(format, { ...rest, input: given.input });
  if (problem !== null) return problem;
  return { id: typeof id === 'string' ? id : null, ...checkedSample(format, given.input, rest) };
}

function problemOfId(id: unknown, firstUseOf: (id: string) => number | null): string | null {
  if (id === undefined) return null;
  if (typeof id !== 'string' || id === '' || id.length > SAMPLE_ID_LENGTH_MAX) {
    return `is not a text of 1 to ${SAMPLE_ID_LENGTH_MAX} characters`;
  }
  const first = firstUseOf(id);
  return first === null ? null : `is that of sample ${first} of this request, too`;
}

type Elements =
  | { readonly kind: 'elements'; readonly input: unknown }
  | { readonly kind: 'problem'; readonly reason: string };

/** An input that was given as bytes (base64 in JSON) as its elements, little-endian where they are floats. */
function elementsOf(input: unknown, { inputType }: SampleFormat): Elements {
  let bytes = input;
  if (typeof input === 'string') {
    if (input.length % 4 !== 0 || !BASE64.test(input)) {
      return { kind: 'problem', reason: 'is a text that is not base64' };
    }
    bytes = Buffer.from(input, 'base64');
  }
  if (!(bytes instanceof Uint8Array) || inputType === 'uint8') return { kind: 'elements', input: bytes };
  if (bytes.length % Float32Array.BYTES_PER_ELEMENT !== 0) {
    return {
      kind: 'problem',
      reason: `has ${bytes.length} bytes, which are no whole number of float32 elements`,
    };
  }
  return { kind: 'elements', input: new Float32Array(new Uint8Array(bytes).buffer) };
}

/** Of what `checkSample` found nothing wrong with. */
function checkedSample(
  { inputType, target }: SampleFormat,
  input: unknown,
  raw: RawSample,
): Omit<IncomingSample, 'id'> {
  const elements = input as ArrayLike<number>;
  return {
    input: inputType === 'uint8' ? Uint8Array.from(elements) : Float32Array.from(elements),
    target: target.kind === 'class' ? Number(raw.label) : Float32Array.from(raw.target as ArrayLike<number>),
  };
}

function invalid(message: string): FreshetError {
  return new FreshetError('INPUT_INVALID', message);
}
