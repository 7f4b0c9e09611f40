/** Delta payloads that are well formed and wrong: what only the root can tell. */
import { type DeltaLayout, decodeDeltaPayload, encodeDeltaPayload } from '@freshet/protocol/delta-payload';

/** `payload`, which is for receivers that hold `base`, with the last of its values one bit off. */
export function withOtherValue(payload: Uint8Array, base: Float32Array, layout: DeltaLayout): Uint8Array {
  const delta = decodeDeltaPayload(payload, base, layout);
  delta.valueBits[delta.valueBits.length - 1]! ^= 1;
  return encodeDeltaPayload(delta, base, layout);
}
