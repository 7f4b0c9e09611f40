/**
 * What the fuzzing of delta payloads (decoders.test.ts) leaves out: valid ones in the place of which only the weights are
 * wrong, and what a payload announces for the largest model.
 */
import { strict as assert } from 'node:assert';
import { it } from 'node:test';
import {
  type DeltaLayout,
  decodeDeltaIndices,
  decodeDeltaPayload,
  encodeDeltaPayload,
} from '@freshet/protocol/delta-payload';
import { FreshetError } from '@freshet/protocol/errors';
import { ELEMENT_COUNT_MAX } from '@freshet/protocol/limits';
import fc from 'fast-check';
import { roundDelta } from '../../trainer/core/round-values.ts';
import { change, finiteBits, formatsOfTensors, layoutOf } from '../support/deltas.ts';
import { assertWithin } from '../support/fuzz/delta-target.ts';
import { growthDuring } from '../support/memory.ts';
import { seed } from '../support/seed.ts';
import { weights } from '../support/weights.ts';

const TIME_LIMIT_MS = 1000;
const CORPUS_COUNT = 200;

/** Valid payloads, encoded once. */
const corpus: readonly { readonly layout: DeltaLayout; readonly payload: Uint8Array }[] = fc
  .sample(fc.tuple(change(finiteBits), formatsOfTensors), { numRuns: CORPUS_COUNT, seed })
  .map(([{ layout, base, delta }, formatsFor]) => {
    const rounded = roundDelta(delta, base, layout, formatsFor(layout));
    return { layout, payload: encodeDeltaPayload(rounded.delta, base, layout, rounded.values) };
  });

it('delta payloads for weights that they are not for, NaNs and infinities among them', () => {
  const scenario = fc
    .constantFrom(...corpus)
    .chain((each) =>
      fc.tuple(fc.constant(each), weights(each.layout.elementCount, each.layout.elementCount)),
    );
  fc.assert(
    fc.property(scenario, ([{ layout, payload }, foreign]) => {
      try {
        assertWithin(decodeDeltaPayload(payload, foreign, layout), layout, payload);
      } catch (error) {
        assert(error instanceof FreshetError && error.code === 'DELTA_MALFORMED', String(error));
      }
    }),
    { numRuns: 1_000_000, interruptAfterTimeLimit: TIME_LIMIT_MS },
  );
});

it('a payload that announces as many changes as it may takes 64 bytes for each of its own', () => {
  // Zeros decode to gaps of 0 without end, so that all positions can be read; the values can not.
  const header = [0, 0x80, 0x80, 0x04, 127];
  const payload = new Uint8Array(header.length + 8192);
  payload.set(header);
  const layout = layoutOf([65_536]);
  const base = new Float32Array(layout.elementCount);
  assert.equal(decodeDeltaIndices(payload, layout).length, layout.elementCount);
  // Where garbage is collected in between it seems to be less, hence the largest of several.
  const growths = Array.from({ length: 20 }, () =>
    growthDuring(() => {
      assert.throws(() => decodeDeltaPayload(payload, base, layout), { code: 'DELTA_MALFORMED' });
    }),
  );
  const taken = Math.max(...growths.map(({ arrayBufferBytes }) => arrayBufferBytes));
  const allowed = 64 * payload.length + 16 * 1024;
  assert.ok(taken < allowed, `${taken} bytes, not ${allowed}`);
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
