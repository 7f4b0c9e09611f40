/**
 * What the admin API accepts. A refusal names the field and what it should have been.
 */
import { FreshetError } from '@freshet/protocol/errors';
import { asWeightsVersion, type WeightsVersion } from '@freshet/protocol/ids';
import * as v from 'valibot';

const VERSIONS_PER_PAGE_DEFAULT = 100;
const VERSIONS_PER_PAGE_MAX = 1000;
const AGENTS_PER_REQUEST_MAX = 10_000;

const version = v.pipe(v.number(), v.safeInteger(), v.minValue(1));

const rollbackSchema = v.strictObject({
  version: v.union(
    [v.literal('head'), v.pipe(version, v.transform(asWeightsVersion))],
    'it must be a version (a whole number from 1) or "head"',
  ),
  agents: v.optional(
    v.pipe(v.array(v.string()), v.minLength(1), v.maxLength(AGENTS_PER_REQUEST_MAX)),
    undefined,
  ),
});

const wholeNumber = v.pipe(v.string(), v.regex(/^\d+$/, 'it must be a whole number'), v.transform(Number));

const pageSchema = v.object({
  limit: v.optional(
    v.pipe(wholeNumber, v.minValue(1), v.maxValue(VERSIONS_PER_PAGE_MAX)),
    String(VERSIONS_PER_PAGE_DEFAULT),
  ),
  before: v.optional(v.pipe(wholeNumber, v.safeInteger(), v.minValue(1))),
});

const commandIdSchema = v.object({ id: v.pipe(wholeNumber, v.safeInteger()) });

const planSchema = v.object({
  from: v.pipe(wholeNumber, v.safeInteger(), v.minValue(1)),
  to: v.optional(v.pipe(wholeNumber, v.safeInteger(), v.minValue(1))),
});

export interface RollbackRequest {
  readonly version: WeightsVersion | 'head';
  /** Null: all that the hub knows. */
  readonly agents: readonly string[] | null;
}

/** @throws INPUT_INVALID */
export function readRollback(body: string): RollbackRequest {
  const { version, agents } = read(rollbackSchema, parseJson(body));
  return { version, agents: agents ?? null };
}

/** @throws INPUT_INVALID */
export function readPage(query: Record<string, string>): { limit: number; before: number | undefined } {
  const { limit, before } = read(pageSchema, query);
  return { limit, before };
}

/** `to` null: the head. @throws INPUT_INVALID */
export function readPlan(query: Record<string, string>): { from: WeightsVersion; to: WeightsVersion | null } {
  const { from, to } = read(planSchema, query);
  return { from: asWeightsVersion(from), to: to === undefined ? null : asWeightsVersion(to) };
}

/** @throws INPUT_INVALID */
export function readCommandId(parameters: Record<string, string>): number {
  return read(commandIdSchema, parameters).id;
}

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch (cause) {
    throw new FreshetError('INPUT_INVALID', 'the body is not JSON', { cause });
  }
}

function read<Schema extends v.GenericSchema>(schema: Schema, input: unknown): v.InferOutput<Schema> {
  const parsed = v.safeParse(schema, input);
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  const field = v.getDotPath(issue) ?? 'the body';
  throw new FreshetError('INPUT_INVALID', `${field}: ${issue.message}`, { details: { field } });
}
