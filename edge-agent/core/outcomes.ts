/** A version that arrives, and what can become of it. Only `applied` has changed anything. */
import type { SparseDelta } from '@freshet/protocol/delta';
import type { FreshetError } from '@freshet/protocol/errors';
import type { Position, Root, WeightsVersion } from '@freshet/protocol/ids';

/** A delta as it arrives. The payload is copied by the commit. */
export interface ReceivedDelta {
  readonly base: WeightsVersion;
  readonly next: WeightsVersion;
  readonly root: Root;
  readonly payload: Uint8Array;
}

export type DeltaOutcome =
  /** Durable, and the head now. `delta` owns its memory. */
  | { readonly kind: 'applied'; readonly delta: SparseDelta }
  /** This very version is stored already. */
  | { readonly kind: 'duplicate' }
  /** It does not start from the head. */
  | { readonly kind: 'gap'; readonly head: Position | null }
  /** DELTA_MALFORMED or ROOT_MISMATCH: it is not what it says it is. */
  | { readonly kind: 'refused'; readonly error: FreshetError };

export type SnapshotOutcome =
  | { readonly kind: 'applied' }
  | { readonly kind: 'duplicate' }
  /** SNAPSHOT_MALFORMED, ROOT_MISMATCH, or BASE_MISMATCH for a version below the head. */
  | { readonly kind: 'refused'; readonly error: FreshetError };
