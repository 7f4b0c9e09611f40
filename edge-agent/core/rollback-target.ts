/**
 * Which version a roll-back means, asked for on the device or ordered by the centre.
 */
import { unreachable } from '@freshet/protocol/assert';
import { FreshetError } from '@freshet/protocol/errors';
import type { WeightsVersion } from '@freshet/protocol/ids';
import type { Order } from '@freshet/protocol/statements';

export type RollbackTarget =
  /** Serve this version and stay. */
  | { readonly kind: 'version'; readonly version: number }
  /** Serve the version that was stored `count` versions before the served one, and stay. */
  | { readonly kind: 'back'; readonly count: number }
  /** Follow the head again. */
  | { readonly kind: 'head' };

export interface StoredVersion {
  readonly version: WeightsVersion;
  readonly state: 'ok' | 'quarantined';
}

/** What an order asks for; null where it contradicts itself: a pin without a version, or a follow with one. */
export function targetOfOrder({ action, version }: Order): RollbackTarget | null {
  switch (action) {
    case 'pin':
      return version === null ? null : { kind: 'version', version };
    case 'follow':
      return version === null ? { kind: 'head' } : null;
    default:
      return unreachable(action);
  }
}

/**
 * The version to pin, or null for following the head. `stored` in ascending order; quarantined ones are passed over.
 * @throws VERSION_UNKNOWN or VERSION_QUARANTINED; the message says what is there.
 */
export function resolveRollback(
  target: RollbackTarget,
  stored: readonly StoredVersion[],
  served: WeightsVersion | null,
): WeightsVersion | null {
  switch (target.kind) {
    case 'head':
      return null;
    case 'version':
      return exactVersion(target.version, stored);
    case 'back':
      return versionBack(target.count, stored, served);
    default:
      return unreachable(target);
  }
}

function exactVersion(version: number, stored: readonly StoredVersion[]): WeightsVersion {
  const found = stored.find((each) => each.version === version);
  if (found === undefined) {
    throw new FreshetError('VERSION_UNKNOWN', `version ${version} is not stored here; ${describe(stored)}`);
  }
  if (found.state === 'quarantined') {
    throw new FreshetError('VERSION_QUARANTINED', `version ${version} is quarantined and must not be served`);
  }
  return found.version;
}

function versionBack(
  count: number,
  stored: readonly StoredVersion[],
  served: WeightsVersion | null,
): WeightsVersion {
  if (served === null)
    throw new FreshetError('VERSION_UNKNOWN', 'nothing is served yet: there is nothing to go back from');
  const earlier = stored.filter((each) => each.version < served && each.state === 'ok');
  const found = earlier[earlier.length - count];
  if (found === undefined) {
    throw new FreshetError(
      'VERSION_UNKNOWN',
      `cannot go ${count} versions back from ${served}: ${earlier.length} earlier ones are stored; ${describe(stored)}`,
    );
  }
  return found.version;
}

function describe(stored: readonly StoredVersion[]): string {
  const first = stored[0];
  const last = stored[stored.length - 1];
  if (first === undefined || last === undefined) return 'nothing is stored yet';
  return `versions ${first.version} to ${last.version} are stored (see \`freshet-agent versions\`)`;
}
