/**
 * Who a trainer publishes as: reads its key, holds it against the keys that have signed the line before, and records
 * a new one. Nothing is written when it does not fit.
 */
import { assert } from '@freshet/protocol/assert';
import { FreshetError } from '@freshet/protocol/errors';
import type { LineId, PublicKey } from '@freshet/protocol/ids';
import { type SigningKey, shortKey } from '@freshet/protocol/signature';
import { rotationStatement } from '@freshet/protocol/statements';
import { keysToAppend } from '../core/key-chain.ts';
import type { VersionLog } from '../history/version-log.ts';
import type { PublisherKey } from '../history/version-log-keys.ts';
import { KeySigner, type Rotations, type Signer, UNSIGNED } from '../hub/signer.ts';
import { readKeyFile } from './key-file.ts';

/** Files, as the options of `freshet start` name them. */
export interface PublisherOptions {
  readonly signingKey?: string;
  /** Of the key that `signingKey` takes the place of. */
  readonly previousKey?: string;
  /** Publish without signatures even where the line has had them. */
  readonly unsigned?: boolean;
}

export interface PublisherIdentity {
  readonly signing: SigningKey | null;
  readonly previous: SigningKey | null;
  readonly unsigned: boolean;
}

/** Reads the key files; writes nothing. @throws CONFIG_INVALID */
export function readPublisherIdentity(options: PublisherOptions): PublisherIdentity {
  const { signingKey, previousKey, unsigned = false } = options;
  if (unsigned && signingKey !== undefined) {
    throw new FreshetError('CONFIG_INVALID', 'give either --signing-key or --unsigned, not both');
  }
  if (previousKey !== undefined && signingKey === undefined) {
    throw new FreshetError(
      'CONFIG_INVALID',
      '--previous-key introduces a new key: give that with --signing-key',
    );
  }
  return {
    signing: signingKey === undefined ? null : readKeyFile(signingKey, '--signing-key'),
    previous: previousKey === undefined ? null : readKeyFile(previousKey, '--previous-key'),
    unsigned,
  };
}

/**
 * The signer for the line of `log`, where its keys have been recorded.
 * @throws CONFIG_INVALID when agents that have pinned a key of the line would refuse: the log is as it was.
 */
export function signerOf(log: VersionLog, { signing, previous, unsigned }: PublisherIdentity): Signer {
  const known = log.publisherKeys.all();
  if (signing === null) {
    const newest = known.at(-1);
    if (newest === undefined || unsigned) return UNSIGNED;
    throw new FreshetError(
      'CONFIG_INVALID',
      `this line is signed with key ${shortKey(newest.publicKey)}: give its file with --signing-key; with --unsigned ` +
        'all agents that have pinned it will refuse this hub',
    );
  }
  const chain = known.map(({ publicKey }) => publicKey);
  const added = keysToAppend(chain, signing.publicKey, previous?.publicKey ?? null);
  if (added.length > 0) log.publisherKeys.append(introduce(log.lineId, chain.length, added, previous));
  return new KeySigner(signing, log.lineId, rotationsOf(log.publisherKeys.all()));
}

/** `added` with the signature of the key before each; `serial` is that of the first of them. */
function introduce(
  lineId: LineId,
  serial: number,
  added: readonly PublicKey[],
  previous: SigningKey | null,
): readonly PublisherKey[] {
  return added.map((publicKey, i) => {
    if (serial + i === 0) return { publicKey, signature: null };
    assert(previous !== null, 'a key after the first is introduced by the previous one');
    return { publicKey, signature: previous.sign(rotationStatement(lineId, serial + i, publicKey)) };
  });
}

function rotationsOf(keys: readonly PublisherKey[]): Rotations {
  // Only the first has none.
  return keys.flatMap(({ publicKey, signature }) => (signature === null ? [] : [{ publicKey, signature }]));
}
