/** One entry of `delta.json`: types, and how its values become those of the code. */
import { hash } from 'node:crypto';
import type { SparseDelta } from '@freshet/protocol/delta';
import { type DeltaLayout, encodeDeltaPayload } from '@freshet/protocol/delta-payload';
import type { ErrorCode } from '@freshet/protocol/errors';
import type { TensorValues } from '@freshet/protocol/payload/value-coder';
import type { ValueFormat } from '@freshet/protocol/payload/value-format';
import { layoutOf } from '../deltas.ts';
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

interface Coded {
  readonly payload: string;
}

export type ValidDelta = DeltaContext & DeltaFormats & Coded & DeltaResult;
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
  return { ...context, payload: hexOf(payload), ...resultOf(delta, base) };
}
