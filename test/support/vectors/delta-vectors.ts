/** `delta.json`: payloads of deltas. */
import { PROTOCOL_VERSION } from '@freshet/protocol/version';
import { acceptedDeltas } from './delta-accepted.ts';
import { invalidDeltas } from './delta-invalid.ts';
import { positionVectors } from './delta-positions.ts';
import { validDeltas } from './delta-valid.ts';
import type { DeltaVectors } from './delta-vector.ts';

export function deltaVectors(): DeltaVectors {
  return {
    part: 'delta',
    protocol: PROTOCOL_VERSION,
    valid: validDeltas(),
    accepted: acceptedDeltas(),
    invalid: invalidDeltas(),
    positions: positionVectors(),
  };
}
