/**
 * What a device that has pinned its publisher's key believes. Pure: the key goes in, a FreshetError comes out or
 * nothing. A device without a pin asks nothing here.
 *
 * `welcome` decides who the hub speaks for: its list of rotations must lead on from the pinned key, and the last key
 * must have signed the head together with line and model. From then on that key signs all that the session brings.
 */
import { FreshetError } from '@freshet/protocol/errors';
import type { AgentId, Position, Proof, PublicKey, WeightsVersion } from '@freshet/protocol/ids';
import type { DownstreamMessage, MessageNamed } from '@freshet/protocol/messages';
import { isSignedBy, shortKey } from '@freshet/protocol/signature';
import { commandStatement, rotationStatement, versionStatement } from '@freshet/protocol/statements';

type Welcome = MessageNamed<DownstreamMessage, 'welcome'>;
type Command = MessageNamed<DownstreamMessage, 'command'>;

/** Where a device keeps the key that it believes. */
export interface PublisherPin {
  /** Null: no key is pinned, and signatures mean nothing. */
  current(): PublicKey | null;
  /** Believes `next` from now on, which the current key has introduced; durable on return. */
  follow(next: PublicKey): void;
}

/**
 * The key that speaks in this session: `pinned`, or the one that it has been rotated to.
 * @throws PUBLISHER_UNTRUSTED when `welcome` is not the publisher's, or takes back what the device holds at `head`
 */
export function publisherOf(welcome: Welcome, pinned: PublicKey, head: Position | null): PublicKey {
  const key = followRotations(welcome, pinned);
  const { lineId, modelDigest } = welcome;
  const { version, proof } = welcome.head;
  if (proof.signature === null) {
    throw untrusted(
      `the hub does not sign, and this device believes only publisher key ${shortKey(pinned)}: start the trainer ` +
        'with --signing-key, or the agent with another --publisher-key',
    );
  }
  if (
    !isSignedBy(key, versionStatement(lineId, modelDigest, { version, root: proof.root }), proof.signature)
  ) {
    throw untrusted(
      `this hub does not speak for publisher key ${shortKey(key)}, which this device believes: point the agent at the ` +
        'right hub; if the key was changed without the old one, start the agent with the new --publisher-key',
    );
  }
  refuseTakingBack({ version, root: proof.root }, head);
  return key;
}

/** The last key of the list; those up to `pinned` were believed before. */
function followRotations({ lineId, rotations }: Welcome, pinned: PublicKey): PublicKey {
  const known = rotations.findLastIndex(({ publicKey }) => publicKey === pinned) + 1;
  let key = pinned;
  for (const [i, { publicKey, signature }] of rotations.slice(known).entries()) {
    const serial = known + i + 1;
    if (!isSignedBy(key, rotationStatement(lineId, serial, publicKey), signature)) {
      throw untrusted(
        `the hub's key ${shortKey(publicKey)} was not introduced by key ${shortKey(key)}, which this device believes: ` +
          'point the agent at the right hub, or start it with the new --publisher-key',
      );
    }
    key = publicKey;
  }
  return key;
}

/** An old statement is signed as well as a new one: what tells a replay is that the device knows better. */
function refuseTakingBack(offered: Position, head: Position | null): void {
  if (head === null || offered.version > head.version) return;
  if (offered.version < head.version) {
    throw untrusted(
      `the hub's newest version is ${offered.version} and this device holds ${head.version} already: an old state is ` +
        'being replayed to it, or the hub was restored from an old backup; restore the newer one',
    );
  }
  if (offered.root !== head.root) {
    throw untrusted(
      `the hub's version ${head.version} has other weights than this device's, both signed: the hub was restored from ` +
        'an old backup and has gone another way since; restore the newer one',
    );
  }
}

/** Null where `key` has signed that `proof` is of this version, else SIGNATURE_INVALID. */
export function forgedVersion(
  key: PublicKey,
  { lineId, modelDigest }: Pick<Welcome, 'lineId' | 'modelDigest'>,
  version: WeightsVersion,
  { root, signature }: Proof,
): FreshetError | null {
  if (signature === null) return unsigned(`version ${version}`, key);
  const isGenuine = isSignedBy(key, versionStatement(lineId, modelDigest, { version, root }), signature);
  return isGenuine ? null : wronglySigned(`version ${version}`, key);
}

/** Null where `key` has signed that `agentId` shall do this, else SIGNATURE_INVALID. */
export function forgedCommand(
  key: PublicKey,
  { lineId }: Pick<Welcome, 'lineId'>,
  agentId: AgentId,
  command: Command,
): FreshetError | null {
  const { id, signature } = command;
  if (signature === null) return unsigned(`command ${id}`, key);
  const isGenuine = isSignedBy(key, commandStatement(lineId, agentId, command), signature);
  return isGenuine ? null : wronglySigned(`command ${id}`, key);
}

function untrusted(message: string): FreshetError {
  return new FreshetError('PUBLISHER_UNTRUSTED', message);
}

function unsigned(what: string, key: PublicKey): FreshetError {
  return new FreshetError(
    'SIGNATURE_INVALID',
    `${what} carries no signature, and this device believes only publisher key ${shortKey(key)}`,
  );
}

function wronglySigned(what: string, key: PublicKey): FreshetError {
  return new FreshetError(
    'SIGNATURE_INVALID',
    `${what} is not signed as it is by publisher key ${shortKey(key)}: it was changed on the way, or meant for another ` +
      'line, model or device',
  );
}
