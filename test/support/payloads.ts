/** Delta payloads that are wrong, or might be. */
import { applyDelta } from '@freshet/protocol/delta';
import { type DeltaLayout, decodeDeltaPayload, encodeDeltaPayload } from '@freshet/protocol/delta-payload';
import { FreshetError } from '@freshet/protocol/errors';

/**
 * `payload`, which is for receivers that hold `base`, with the last of its values one bit off: well formed, so that
 * only the root can tell.
 */
export function withOtherValue(payload: Uint8Array, base: Float32Array, layout: DeltaLayout): Uint8Array {
  const delta = decodeDeltaPayload(payload, base, layout);
  delta.valueBits[delta.valueBits.length - 1]! ^= 1;
  return encodeDeltaPayload(delta, base, layout);
}

/** The weights that `payload` makes of `base`; null where it is malformed. */
export function weightsAfter(
  payload: Uint8Array,
  base: Float32Array,
  layout: DeltaLayout,
): Float32Array | null {
  try {
    const weights = base.slice();
    applyDelta(weights, decodeDeltaPayload(payload, base, layout));
    return weights;
  } catch (error) {
    if (error instanceof FreshetError && error.code === 'DELTA_MALFORMED') return null;
    throw error;
  }
}
