/** `signatures.json`: keys, what they sign, and who is believed. The keys are for tests and nothing else. */

import { asPublicKey, asSignature } from '@freshet/protocol/ids';
import { isPublicKey, isSignedBy } from '@freshet/protocol/signature';
import type { Statement } from '@freshet/protocol/statements';
import { PROTOCOL_VERSION } from '@freshet/protocol/version';
import { GROUP_ORDER, hexOfNumber, numberOf } from './edwards25519.ts';
import { bytesOfHex } from './hex.ts';
import { oddSignatures, SMALL_ORDER_KEYS } from './odd-signatures.ts';
import { type AuthorityVectors, authorityVectors } from './signature-authority.ts';
import { KEYS, STATEMENTS, type StatementVector } from './signed-statements.ts';

export interface KeyVector {
  readonly name: string;
  /** Private: 32 bytes. */
  readonly seed: string;
  readonly publicKey: string;
}

export interface WrongSignature {
  readonly name: string;
  readonly publicKey: string;
  readonly statement: string;
  readonly signature: string;
}

export interface SignatureVectors {
  readonly part: 'signatures';
  readonly protocol: number;
  readonly valid: {
    readonly keys: readonly KeyVector[];
    readonly statements: readonly StatementVector[];
  };
  readonly invalid: {
    /** What a receiver must not take as a publisher's key. */
    readonly keys: readonly { readonly name: string; readonly publicKey: string }[];
    readonly signatures: readonly WrongSignature[];
  };
  readonly authority: AuthorityVectors;
}

export function signatureVectors(): SignatureVectors {
  const keys = KEYS.map(({ name, seed, key }) => ({ name, seed, publicKey: key.publicKey }));
  return {
    part: 'signatures',
    protocol: PROTOCOL_VERSION,
    valid: { keys, statements: STATEMENTS },
    invalid: { keys: wrongKeys(), signatures: wrongSignatures() },
    authority: authorityVectors(),
  };
}

function wrongKeys(): { name: string; publicKey: string }[] {
  const key = KEYS[0]!.key.publicKey;
  const keys = {
    ...Object.fromEntries(
      Object.entries(SMALL_ORDER_KEYS).map(([what, each]) => [`of small order: ${what}`, each]),
    ),
    // y = 3 and y = 18 are points of the curve, y = 2 is none.
    'y = p + 2': `ef${'ff'.repeat(30)}7f`,
    'y = p + 3': `f0${'ff'.repeat(30)}7f`,
    'y = p + 3, the other sign': `f0${'ff'.repeat(31)}`,
    'y = p + 18': `${'ff'.repeat(31)}7f`,
    '31 bytes': key.slice(2),
    '33 bytes': `${key}00`,
    'upper case': key.toUpperCase(),
    'no hex': `${key.slice(0, -1)}g`,
    empty: '',
  };
  return Object.entries(keys).map(([name, publicKey]) => {
    if (isPublicKey(publicKey)) throw new TypeError(`"${name}" is a key`);
    return { name, publicKey };
  });
}

function wrongSignatures(): WrongSignature[] {
  const [first, second] = KEYS;
  const [one, two] = STATEMENTS;
  const flipped = (hex: string, byte: number): string => {
    const bytes = bytesOfHex(hex);
    bytes[byte]! ^= 1;
    return Buffer.from(bytes).toString('hex');
  };
  const { statement, signature } = one!;
  const publicKey = first!.key.publicKey;
  const wrong: readonly WrongSignature[] = [
    { name: 'by another key', publicKey: second!.key.publicKey, statement, signature },
    { name: 'of another statement', publicKey, statement: two!.statement, signature },
    { name: 'a bit of R is wrong', publicKey, statement, signature: flipped(signature, 0) },
    { name: 'a bit of S is wrong', publicKey, statement, signature: flipped(signature, 32) },
    { name: 'a bit of the statement is wrong', publicKey, statement: flipped(statement, 0), signature },
    { name: 'the last bit of the statement', publicKey, statement: flipped(statement, 88), signature },
    { name: 'a byte behind the statement', publicKey, statement: `${statement}00`, signature },
    { name: 'S + L in the place of S', publicKey, statement, signature: withLargeS(signature) },
    { name: 'all zeros', publicKey, statement, signature: '00'.repeat(64) },
    { name: 'by a key that is no point: y = 2', publicKey: `02${'00'.repeat(31)}`, statement, signature },
    ...oddSignatures(
      KEYS[0]!.seed,
      STATEMENTS.map((each) => each.statement),
    ),
  ];
  for (const each of wrong) {
    const bytes = bytesOfHex(each.statement) as Uint8Array as Statement;
    if (isSignedBy(asPublicKey(each.publicKey), bytes, asSignature(each.signature))) {
      throw new TypeError(`"${each.name}" is a signature`);
    }
  }
  return wrong.slice();
}

/** S and S + L both fit the equation, and only S below L is a signature (RFC 8032 §5.1.7). */
function withLargeS(signature: string): string {
  return signature.slice(0, 64) + hexOfNumber(numberOf(signature.slice(64)) + GROUP_ORDER);
}
