/** Damaged snapshot chunks raise SNAPSHOT_MALFORMED or decode to the right number of weights; nothing else happens. */
import { strict as assert } from 'node:assert';
import { it } from 'node:test';
import { FreshetError } from '@freshet/protocol/errors';
import { decodeSnapshotChunk, encodeSnapshotChunk } from '@freshet/protocol/snapshot-chunk';
import fc from 'fast-check';
import { damage } from '../support/damage.ts';
import { growthDuring } from '../support/memory.ts';
import '../support/seed.ts';
import { assertSameBits, floatBits, weights, weightsOfBits } from '../support/weights.ts';

const TIME_LIMIT_MS = 1000;
const ELEMENT_COUNT = 2000;

/** Runs of equal patterns, so that all planes travel as frames; and weights whose planes mostly do not. */
const given = fc.oneof(
  weights(ELEMENT_COUNT, ELEMENT_COUNT),
  fc
    .array(floatBits, { minLength: 2, maxLength: 40 })
    .map((patterns) =>
      weightsOfBits(Array.from({ length: ELEMENT_COUNT }, (_, i) => patterns[(i >> 3) % patterns.length]!)),
    ),
);

it('snapshot chunks', () => {
  const { peakBytes } = growthDuring(() =>
    fc.assert(
      fc.property(given, given, damage, (first, second, apply) => {
        const valid = encodeSnapshotChunk(first);
        try {
          const decoded = decodeSnapshotChunk(apply(valid, encodeSnapshotChunk(second)), ELEMENT_COUNT);
          assert.equal(decoded.length, ELEMENT_COUNT);
        } catch (error) {
          assert(
            error instanceof FreshetError && error.code === 'SNAPSHOT_MALFORMED',
            `undeclared: ${String(error)}`,
          );
        }
        assertSameBits(decodeSnapshotChunk(valid, ELEMENT_COUNT), first);
      }),
      { numRuns: 1_000_000, interruptAfterTimeLimit: TIME_LIMIT_MS },
    ),
  );
  assert(peakBytes < 256 * 1024 * 1024, `${peakBytes} bytes at the peak`);
});
