/** Payloads of deltas against delta.json, both ways. */
import { strict as assert } from 'node:assert';
import { describe, it } from 'node:test';
import type { SparseDelta } from '@freshet/protocol/delta';
import {
  decodeDeltaIndices,
  decodeDeltaPayload,
  encodeDeltaPayload,
  formatsOfPayload,
} from '@freshet/protocol/delta-payload';
import { VALUE_FORMATS } from '@freshet/protocol/payload/value-format';
import { positionsResult } from '../support/vectors/delta-positions.ts';
import {
  contextOf,
  type DeltaContext,
  type DeltaResult,
  hexAfterSteps,
  resultOf,
  valuesOf,
} from '../support/vectors/delta-vector.ts';
import { frozenVectors } from '../support/vectors/frozen-vectors.ts';
import { bytesOfHex, hexOf } from '../support/vectors/hex.ts';

const { valid, accepted, invalid, positions } = frozenVectors('delta.json');

/** Decodes the payload of `vector`, and compares all that it says with what the file says. */
function decodeAsFrozen(vector: DeltaContext & DeltaResult & { readonly payload: string }): SparseDelta {
  const { layout, base } = contextOf(vector);
  const payload = bytesOfHex(vector.payload);
  const delta = decodeDeltaPayload(payload, base, layout);
  const result = resultOf(delta, base);
  const expected = Object.fromEntries(
    Object.keys(result).map((name) => [name, vector[name as keyof typeof vector]]),
  );
  assert.deepEqual(result, expected);
  assert.deepEqual(decodeDeltaIndices(payload, layout), delta.indices);
  return delta;
}

describe('a valid payload', () => {
  for (const vector of valid) {
    it(vector.name, () => {
      const delta = decodeAsFrozen(vector);
      const { layout, base } = contextOf(vector);
      assert.equal(hexOf(encodeDeltaPayload(delta, base, layout, valuesOf(vector))), vector.payload);
      if (vector.steps !== null && 'bits' in vector) {
        assert.equal(hexAfterSteps(vector, vector.indices, vector.steps), vector.bits);
      }
      const formats = formatsOfPayload(bytesOfHex(vector.payload), layout);
      assert.deepEqual(new Set(formats), new Set(vector.formats));
    });
  }

  it('of every format', () => {
    assert.deepEqual(new Set(valid.flatMap(({ formats }) => formats)), new Set(VALUE_FORMATS));
  });
});

describe('a payload as only others write it', () => {
  for (const vector of accepted) {
    it(vector.name, () => {
      decodeAsFrozen(vector);
    });
  }
});

describe('an invalid payload', () => {
  for (const { code, reason, payload, ...context } of invalid) {
    it(context.name, () => {
      const { layout, base } = contextOf(context);
      const before = base.slice();
      assert.throws(() => decodeDeltaPayload(bytesOfHex(payload), base, layout), { code, message: reason });
      assert.deepEqual(new Uint8Array(base.buffer), new Uint8Array(before.buffer));
    });
  }
});

describe('positions alone', () => {
  for (const { name, tensors, payload, ...result } of positions.accepted) {
    it(name, () => assert.deepEqual(positionsResult(tensors, bytesOfHex(payload)), result));
  }

  for (const { name, tensors, payload, code, reason } of positions.invalid) {
    it(`none: ${name}`, () => {
      assert.throws(() => positionsResult(tensors, bytesOfHex(payload)), { code, message: reason });
    });
  }
});
