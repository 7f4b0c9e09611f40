/**
 * Any bytes in the place of a delta payload either decode to changes of this model or raise DELTA_MALFORMED, in memory
 * that is in proportion to them, and the decoder works afterwards. Models of several layouts, values in all formats.
 */
import { strict as assert } from 'node:assert';
import { describe, it } from 'node:test';
import type { SparseDelta } from '@freshet/protocol/delta';
import {
  type DeltaLayout,
  decodeDeltaIndices,
  decodeDeltaPayload,
  encodeDeltaPayload,
  formatsOfPayload,
} from '@freshet/protocol/delta-payload';
import { FreshetError } from '@freshet/protocol/errors';
import { ELEMENT_COUNT_MAX } from '@freshet/protocol/limits';
import { VALUE_FORMATS } from '@freshet/protocol/payload/value-format';
import fc from 'fast-check';
import { roundDelta } from '../../trainer/core/round-values.ts';
import { damage } from '../support/damage.ts';
import { change, finiteBits, formatsOfTensors, layoutOf } from '../support/deltas.ts';
import { growthDuring } from '../support/memory.ts';
import { seed } from '../support/seed.ts';
import { weights } from '../support/weights.ts';

const TIME_LIMIT_MS = 1000;
const CORPUS_COUNT = 200;
/** Every change has one bit at least. */
const CHANGES_PER_BYTE_MAX = 8;

interface Sample {
  readonly layout: DeltaLayout;
  readonly base: Float32Array;
  readonly payload: Uint8Array;
  readonly delta: SparseDelta;
}

/** Valid payloads, encoded once. */
const corpus: readonly Sample[] = fc
  .sample(fc.tuple(change(finiteBits), formatsOfTensors), { numRuns: CORPUS_COUNT, seed })
  .map(([{ layout, base, delta }, formatsFor]) => {
    const rounded = roundDelta(delta, base, layout, formatsFor(layout));
    return {
      layout,
      base,
      payload: encodeDeltaPayload(rounded.delta, base, layout, rounded.values),
      delta: rounded.delta,
    };
  });

/** What `decode` gives, or null for the declared error. */
function declared<Result>(decode: () => Result): Result | null {
  try {
    return decode();
  } catch (error) {
    assert(error instanceof FreshetError && error.code === 'DELTA_MALFORMED', `undeclared: ${String(error)}`);
    return null;
  }
}

function assertWithin(
  { indices, valueBits }: SparseDelta,
  { elementCount }: DeltaLayout,
  bytes: Uint8Array,
): void {
  assert.equal(indices.length, valueBits.length);
  assert.ok(indices.length <= CHANGES_PER_BYTE_MAX * bytes.length);
  assert.equal(indices.buffer.byteLength, indices.byteLength);
  assert.equal(valueBits.buffer.byteLength, valueBits.byteLength);
  for (let i = 0; i < indices.length; i++) {
    if (indices[i]! >= elementCount || (i > 0 && indices[i]! <= indices[i - 1]!)) assert.fail('positions');
  }
}

describe('fuzz', () => {
  it('delta payloads', () => {
    const sample = fc.constantFrom(...corpus);
    fc.assert(
      fc.property(sample, sample, damage, ({ layout, base, payload, delta }, other, apply) => {
        const hostile = apply(payload, other.payload);
        const decoded = declared(() => decodeDeltaPayload(hostile, base, layout));
        const indices = declared(() => decodeDeltaIndices(hostile, layout));
        const formats = declared(() => formatsOfPayload(hostile, layout));
        if (decoded !== null) {
          assertWithin(decoded, layout, hostile);
          assert.deepEqual(indices, decoded.indices);
          assert.ok(formats!.every((format) => VALUE_FORMATS.includes(format)));
        }
        assert.deepEqual(decodeDeltaPayload(payload, base, layout), delta);
      }),
      { numRuns: 1_000_000, interruptAfterTimeLimit: TIME_LIMIT_MS },
    );
  });

  it('delta payloads for weights that they are not for, NaNs and infinities among them', () => {
    const scenario = fc
      .constantFrom(...corpus)
      .chain((each) => fc.tuple(fc.constant(each), weights(each.base.length, each.base.length)));
    fc.assert(
      fc.property(scenario, ([{ layout, payload }, foreign]) => {
        const decoded = declared(() => decodeDeltaPayload(payload, foreign, layout));
        if (decoded !== null) assertWithin(decoded, layout, payload);
      }),
      { numRuns: 1_000_000, interruptAfterTimeLimit: TIME_LIMIT_MS },
    );
  });
});

it('a payload that announces all weights of the largest model takes no memory for them', () => {
  // 2^28 changes as uleb128: 80 80 80 80 01.
  const payload = Uint8Array.of(0, 0x80, 0x80, 0x80, 0x80, 0x01, 127, 1, 2, 3);
  const layout = layoutOf([ELEMENT_COUNT_MAX]);
  const growth = growthDuring(() => {
    assert.throws(() => decodeDeltaIndices(payload, layout), { code: 'DELTA_MALFORMED' });
  });
  assert.ok(growth.arrayBufferBytes < 1024 * 1024, `${growth.arrayBufferBytes}`);
});
