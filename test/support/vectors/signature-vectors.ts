/** `signatures.json`: keys, what they sign, and who is believed. The keys are for tests and nothing else. */

import { asPublicKey, asSignature } from '@freshet/protocol/ids';
import { isPublicKey, isSignedBy } from '@freshet/protocol/signature';
import type { Statement } from '@freshet/protocol/statements';
import { PROTOCOL_VERSION } from '@freshet/protocol/version';
import { bytesOfHex } from './hex.ts';
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

/** The order of the group: S and S + L would both fit the equation, and only S below L is a signature (RFC 8032 §5.1.7). */
const GROUP_ORDER = 2n ** 252n + 27_742_317_777_372_353_535_851_937_790_883_648_493n;

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
    'of small order: all zeros': '00'.repeat(32),
    'of small order: all zeros, with a sign': `${'00'.repeat(31)}80`,
    'of small order: 1': `01${'00'.repeat(31)}`,
    'of small order: 8 of 8': '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
    'of small order: 8 of 8, with a sign': '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85',
    'of small order: 8 of 8, the other': 'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
    'of small order: p − 1': `ec${'ff'.repeat(30)}7f`,
    'of small order: p, which is 0': `ed${'ff'.repeat(30)}7f`,
    'of small order: p + 1, which is 1': `ee${'ff'.repeat(30)}7f`,
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
  ];
  for (const each of wrong) {
    const bytes = bytesOfHex(each.statement) as Uint8Array as Statement;
    if (isSignedBy(asPublicKey(each.publicKey), bytes, asSignature(each.signature))) {
      throw new TypeError(`"${each.name}" is a signature`);
    }
  }
  return wrong.slice();
}

function withLargeS(signature: string): string {
  const s = BigInt(`0x${Buffer.from(signature.slice(64), 'hex').reverse().toString('hex')}`) + GROUP_ORDER;
  const bytes = Buffer.from(s.toString(16).padStart(64, '0'), 'hex').reverse();
  return signature.slice(0, 64) + bytes.toString('hex');
}
