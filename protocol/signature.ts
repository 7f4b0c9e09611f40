/**
 * The publisher's signatures: ed25519 (RFC 8032) over the statements of statements.ts. Keys are drawn and kept in
 * files elsewhere. A private key leaves this module through `toPem` only: it is in no property that a log could print.
 */
import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { assert } from './assert.ts';
import { asPublicKey, asSignature, type PublicKey, type Signature } from './ids.ts';
import type { Statement } from './statements.ts';

export const SEED_BYTES = 32;

const SHORT_KEY_DIGITS = 12;

/** PKCS#8 around the seed of an ed25519 key (RFC 8410 §7). */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');

/**
 * The y of the points whose order divides 8, as their keys begin. For one of these as the key, anybody can make signatures
 * that pass: so it is no key, however it came into a configuration (all zeros is what a placeholder looks like). The list
 * is libsodium's (`ge25519_has_small_order`) without those that LARGE_Y has.
 */
const SMALL_ORDER_KEYS: ReadonlySet<string> = new Set([
  `00${'00'.repeat(31)}`,
  `01${'00'.repeat(31)}`,
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  `ec${'ff'.repeat(30)}7f`,
]);

/** From p = 2^255 − 19 on, little-endian: RFC 8032 §5.1.3 decodes no such y, and OpenSSL does. */
const LARGE_Y = /^(?:e[d-f]|f[0-9a-f])f{60}7f$/;

/** Whether `text` can be a publisher's key: 64 lower-case hex digits, and not one that anybody can sign for. */
export function isPublicKey(text: string): text is PublicKey {
  if (!/^[0-9a-f]{64}$/.test(text)) return false;
  const y = withoutSign(text);
  return !SMALL_ORDER_KEYS.has(y) && !LARGE_Y.test(y);
}

/** Enough of a key to tell it apart by eye, for messages and logs. */
export function shortKey(publicKey: PublicKey): string {
  return `${publicKey.slice(0, SHORT_KEY_DIGITS)}…`;
}

/** Clears the top bit of the last byte, which is the sign of the point's x. */
function withoutSign(publicKey: string): string {
  const last = Number.parseInt(publicKey.slice(-2), 16) & 0x7f;
  return publicKey.slice(0, -2) + last.toString(16).padStart(2, '0');
}

/**
 * Whether the holder of `publicKey` has signed `statement`. Any bytes will do: they are a signature or they are not. What
 * `isPublicKey` does not take signs nothing, wherever it comes from. OpenSSL asks for S below the order of the group, does
 * not multiply by the cofactor, and compares R by its bytes.
 */
export function isSignedBy(publicKey: PublicKey, statement: Statement, signature: Signature): boolean {
  if (!isPublicKey(publicKey)) return false;
  const x = Buffer.from(publicKey, 'hex').toString('base64url');
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
  return verify(null, statement, key, Buffer.from(signature, 'hex'));
}

/** A publisher's key pair. */
export class SigningKey {
  readonly publicKey: PublicKey;
  readonly #key: KeyObject;

  /** The key pair of a seed of 32 random bytes, which is copied and as secret as the key. */
  static fromSeed(seed: Uint8Array): SigningKey {
    assert(seed.length === SEED_BYTES, `a seed has ${SEED_BYTES} bytes`);
    const key = Buffer.concat([PKCS8_PREFIX, seed]);
    return new SigningKey(createPrivateKey({ key, format: 'der', type: 'pkcs8' }));
  }

  /** Reads what `toPem` or `openssl genpkey -algorithm ed25519` wrote; null when `text` is no such key. */
  static fromPem(text: string): SigningKey | null {
    let key: KeyObject;
    try {
      key = createPrivateKey({ key: text, format: 'pem' });
    } catch {
      // OpenSSL's reasons ("unsupported", "no start line") tell a person less than the caller can.
      return null;
    }
    return key.asymmetricKeyType === 'ed25519' ? new SigningKey(key) : null;
  }

  private constructor(key: KeyObject) {
    this.#key = key;
    const { x } = createPublicKey(key).export({ format: 'jwk' });
    assert(x !== undefined, 'an ed25519 key has an x');
    this.publicKey = asPublicKey(Buffer.from(x, 'base64url').toString('hex'));
  }

  /** PKCS#8 in PEM: the private key itself. */
  toPem(): string {
    return this.#key.export({ format: 'pem', type: 'pkcs8' }).toString();
  }

  /** The same statement always gives the same signature. */
  sign(statement: Statement): Signature {
    return asSignature(sign(null, statement, this.#key).toString('hex'));
  }
}
