/** A log that a hub's session might stand on, without a log: for tests of the pure state machine. */
import { asLineId, asModelDigest, asRoot, asWeightsVersion, type Position } from '@freshet/protocol/ids';
import type { HubFacts } from '../../trainer/core/session-state.ts';

export const MODEL_DIGEST = asModelDigest('11'.repeat(32));
export const LINE_ID = asLineId('22'.repeat(16));

/** `version` with the root that the log has for it. */
export const at = (version: number): Position => ({
  version: asWeightsVersion(version),
  root: asRoot(version.toString(16).padStart(64, '0')),
});

/** `version` with another root. */
export const forged = (version: number): Position => ({ ...at(version), root: asRoot('ff'.repeat(32)) });

/** Holds the versions `oldest` to `head`, and knows all agents but `one-too-many`. */
export function hubFacts(options: {
  oldest: number;
  head: number;
  modelFrameBytes: number;
  takesSamples?: boolean;
}): HubFacts {
  const { oldest, head, modelFrameBytes } = options;
  return {
    modelDigest: MODEL_DIGEST,
    lineId: LINE_ID,
    head: at(head),
    modelFrameBytes,
    takesSamples: options.takesSamples ?? false,
    rootOf: (version) => (version >= oldest && version <= head ? at(version).root : null),
    hasRoomFor: (agentId) => agentId !== 'one-too-many',
  };
}
