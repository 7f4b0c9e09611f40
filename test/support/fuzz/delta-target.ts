/** Delta payloads, over models of several layouts and values of all formats. */
import { strict as assert } from 'node:assert';
import type { SparseDelta } from '@freshet/protocol/delta';
import {
  type DeltaLayout,
  decodeDeltaIndices,
  decodeDeltaPayload,
  encodeDeltaPayload,
  formatsOfPayload,
} from '@freshet/protocol/delta-payload';
import { VALUE_FORMATS } from '@freshet/protocol/payload/value-format';
import { roundDelta } from '@freshet/trainer/core/round-values';
import fc from 'fast-check';
import { change, finiteBits, formatsOfTensors } from '../deltas.ts';
import { contextOf } from '../vectors/delta-vector.ts';
import { frozenVectors } from '../vectors/frozen-vectors.ts';
import { bytesOfHex } from '../vectors/hex.ts';
import type { FuzzSample, FuzzTarget } from './fuzz-target.ts';

const GENERATED_COUNT = 300;
/** Every change has one bit at least. */
const CHANGES_PER_BYTE_MAX = 8;

export function deltaTarget(seed: number): FuzzTarget {
  return {
    name: 'delta',
    codes: ['DELTA_MALFORMED'],
    corpus: [...fromVectors(), ...generated(seed)],
  };
}

function fromVectors(): FuzzSample[] {
  const { valid, accepted } = frozenVectors('delta.json');
  return [...valid, ...accepted].map((vector) => {
    const { layout, base } = contextOf(vector);
    return sampleOf(bytesOfHex(vector.payload), base, layout);
  });
}

function generated(seed: number): FuzzSample[] {
  const drawn = fc.sample(fc.tuple(change(finiteBits), formatsOfTensors), { seed, numRuns: GENERATED_COUNT });
  return drawn.map(([{ layout, base, delta }, formatsFor]) => {
    const rounded = roundDelta(delta, base, layout, formatsFor(layout));
    return sampleOf(encodeDeltaPayload(rounded.delta, base, layout, rounded.values), base, layout);
  });
}

function sampleOf(payload: Uint8Array, base: Float32Array, layout: DeltaLayout): FuzzSample {
  return {
    bytes: payload,
    decode(bytes) {
      const delta = decodeDeltaPayload(bytes, base, layout);
      assertWithin(delta, layout, bytes);
      assert.deepEqual(decodeDeltaIndices(bytes, layout), delta.indices);
      assert.ok(formatsOfPayload(bytes, layout).every((format) => VALUE_FORMATS.includes(format)));
      return Buffer.concat([bytesOfWords(delta.indices), bytesOfWords(delta.valueBits)]);
    },
  };
}

/** Whether `delta`, made of `bytes`, is one for this model and takes no more than it needs. */
export function assertWithin(
  { indices, valueBits }: SparseDelta,
  { elementCount }: DeltaLayout,
  bytes: Uint8Array,
): void {
  assert.equal(indices.length, valueBits.length);
  assert.ok(indices.length <= CHANGES_PER_BYTE_MAX * bytes.length, 'no more changes than bits');
  // Not views on something larger.
  assert.equal(indices.buffer.byteLength, indices.byteLength);
  assert.equal(valueBits.buffer.byteLength, valueBits.byteLength);
  for (let i = 0; i < indices.length; i++) {
    if (indices[i]! >= elementCount || (i > 0 && indices[i]! <= indices[i - 1]!))
      assert.fail('positions ascend');
  }
}

function bytesOfWords({ buffer, byteOffset, byteLength }: Uint32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
