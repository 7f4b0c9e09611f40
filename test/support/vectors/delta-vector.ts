/** One entry of `delta.json`: types, and how its values become those of the code. */
import { hash } from 'node:crypto';
import { bitsOf, type SparseDelta } from '@freshet/protocol/delta';
import { type DeltaLayout, decodeDeltaPayload, encodeDeltaPayload } from '@freshet/protocol/delta-payload';
import type { ErrorCode } from '@freshet/protocol/errors';
import { fromBfloat16 } from '@freshet/protocol/payload/float-bits';
import { decodeHeader } from '@freshet/protocol/payload/payload-header';
import type { TensorValues } from '@freshet/protocol/payload/value-coder';
import {
  afterScaledSteps,
  afterSteps,
  isScaled,
  scaledStepsBetween,
  stepsBetween,
  type ValueFormat,
} from '@freshet/protocol/payload/value-format';
import { layoutOf } from '../deltas.ts';
import type { PositionVectors } from './delta-positions.ts';
import { hexOf } from './hex.ts';
import { hexOfBits, type WeightsSpec, weightsOfSpec } from './vector-weights.ts';

/** What a payload refers to. */
export interface DeltaContext {
  readonly name: string;
  /** Numbers of weights of the tensors, in canonical order. */
  readonly tensors: readonly number[];
  /** The weights that the receiver holds. */
  readonly base: WeightsSpec;
}

/** How the values of each tensor travel. */
export interface DeltaFormats {
  readonly formats: readonly ValueFormat[];
  /** The upper 16 bits of binary32 patterns, as numbers in hex; null for tensors that need none. */
  readonly scales: readonly (string | null)[];
}

/** The delta itself: in full, or where that is long, SHA-256 of its indices (u32le) and of all weights after it. */
export type DeltaResult =
  | { readonly indices: readonly number[]; readonly bits: string }
  | { readonly changes: number; readonly indicesSha256: string; readonly weightsSha256: string };

/**
 * What the sender has chosen or worked out beyond that, so that each layer of a coder can be held against it. Null where
 * nothing changes; `steps` also where there are too many changes to list.
 */
export interface DeltaChoices {
  readonly positions: 'gaps' | 'rank' | null;
  readonly stepExponent: number | null;
  /** From the old weight to the new one, as signed 32-bit numbers. */
  readonly steps: readonly number[] | null;
}

interface Coded {
  readonly payload: string;
}

export type ValidDelta = DeltaContext & DeltaFormats & DeltaChoices & Coded & DeltaResult;
/** Decodes to this; our encoder writes something else. */
export type AcceptedDelta = DeltaContext & Coded & DeltaResult;
export type InvalidDelta = DeltaContext &
  Coded & {
    readonly code: ErrorCode;
    /** What our decoder says: not part of the protocol. */
    readonly reason: string;
  };

export interface DeltaVectors {
  readonly part: 'delta';
  readonly protocol: number;
  readonly valid: readonly ValidDelta[];
  readonly accepted: readonly AcceptedDelta[];
  readonly invalid: readonly InvalidDelta[];
  readonly positions: PositionVectors;
}

/** More changes than this are given by their digests. */
const LISTED_CHANGES_MAX = 400;

export function contextOf({ tensors, base }: Pick<DeltaContext, 'tensors' | 'base'>): {
  readonly layout: DeltaLayout;
  readonly base: Float32Array;
} {
  return { layout: layoutOf(tensors), base: weightsOfSpec(base) };
}

export function valuesOf({ formats, scales }: DeltaFormats): TensorValues[] {
  return formats.map((format, i) => {
    const scale = scales[i] ?? null;
    return scale === null ? { format } : { format, scale: Number.parseInt(scale, 16) };
  });
}

export function resultOf(delta: SparseDelta, base: Float32Array): DeltaResult {
  const { indices, valueBits } = delta;
  if (indices.length <= LISTED_CHANGES_MAX) return { indices: [...indices], bits: hexOfBits(valueBits) };
  const weightBits = new Uint32Array(base.slice().buffer);
  for (const [i, index] of indices.entries()) weightBits[index] = valueBits[i]!;
  return {
    changes: indices.length,
    indicesSha256: sha256OfWords(indices),
    weightsSha256: sha256OfWords(weightBits),
  };
}

function sha256OfWords(words: Uint32Array): string {
  return hash('sha256', new Uint8Array(words.buffer, words.byteOffset, words.byteLength), 'hex');
}

/** The entry of `delta` with the payload that our encoder writes for it. */
export function validDelta(context: DeltaContext & DeltaFormats, delta: SparseDelta): ValidDelta {
  const { layout, base } = contextOf(context);
  const payload = encodeDeltaPayload(delta, base, layout, valuesOf(context));
  const choices = choicesOf(context, delta, payload);
  return { ...context, ...choices, payload: hexOf(payload), ...resultOf(delta, base) };
}

function choicesOf(
  context: DeltaContext & DeltaFormats,
  delta: SparseDelta,
  payload: Uint8Array,
): DeltaChoices {
  if (delta.indices.length === 0) return { positions: null, stepExponent: null, steps: null };
  const { ranked, stepExponent } = decodeHeader(payload, context.tensors.length).header;
  const steps = delta.indices.length <= LISTED_CHANGES_MAX ? stepsOf(context, delta) : null;
  return { positions: ranked ? 'rank' : 'gaps', stepExponent, steps };
}

function stepsOf(context: DeltaContext & DeltaFormats, { indices, valueBits }: SparseDelta): number[] {
  const weightAt = oldWeightsOf(context);
  return [...indices].map((index, i) => {
    const { old, format, scaleBits } = weightAt(index);
    const next = valueBits[i]!;
    const steps = isScaled(format)
      ? scaledStepsBetween(format, old, next, scaleBits)
      : stepsBetween(format, old, next);
    if (steps === null) throw new TypeError(`weight ${index} has no way to its value`);
    return steps;
  });
}

/** Where `steps` lead from the weights at `indices`, as the files write it. */
export function hexAfterSteps(
  context: DeltaContext & DeltaFormats,
  indices: readonly number[],
  steps: readonly number[],
): string {
  const weightAt = oldWeightsOf(context);
  const bits = indices.map((index, i) => {
    const { old, format, scaleBits } = weightAt(index);
    const after = isScaled(format)
      ? afterScaledSteps(old, steps[i]!, scaleBits)
      : afterSteps(format, old, steps[i]!);
    if (after === null) throw new TypeError(`the steps of weight ${index} lead nowhere`);
    return after;
  });
  return hexOfBits(bits);
}

interface OldWeight {
  readonly old: number;
  readonly format: ValueFormat;
  readonly scaleBits: number;
}

/** Tells what the weight at an index is before the delta, and how its value travels. */
function oldWeightsOf(context: DeltaContext & DeltaFormats): (index: number) => OldWeight {
  const { layout, base } = contextOf(context);
  const [baseBits, values] = [bitsOf(base), valuesOf(context)];
  return (index) => {
    const tensor = layout.tensors.findLastIndex(({ elementOffset }) => elementOffset <= index);
    const { format, scale = 0 } = values[tensor]!;
    return { old: baseBits[index]!, format, scaleBits: fromBfloat16(scale) };
  };
}

/** The entry of a payload that the decoder takes. */
export function acceptedDelta(context: DeltaContext, payload: Uint8Array): AcceptedDelta {
  const { layout, base } = contextOf(context);
  const delta = decodeDeltaPayload(payload, base, layout);
  return { ...context, payload: hexOf(payload), ...resultOf(delta, base) };
}
