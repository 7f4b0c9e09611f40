/**
 * Signatures that verifiers disagree about: an equation that holds times 8 only, points that are not in their one proper
 * form, keys that everybody can sign for ("Taming the many EdDSAs", Chalkias, Garillot, Nikolaenko, 2020). Here none of
 * them is a signature.
 */
import { createPublicKey, verify } from 'node:crypto';
import {
  add,
  B,
  challengeOf,
  encodePoint,
  GROUP_ORDER,
  hexOfNumber,
  multiply,
  ORDER_8,
  type Point,
  scalarOf,
} from './edwards25519.ts';
import { bytesOfHex } from './hex.ts';

export interface OddSignature {
  readonly name: string;
  readonly publicKey: string;
  readonly statement: string;
  readonly signature: string;
}

const ff30 = 'ff'.repeat(30);

/** Every encoding of a point whose order divides 8, by what it is. The first eight are in their proper form. */
export const SMALL_ORDER_KEYS: Readonly<Record<string, string>> = {
  'y = 1, order 1': `01${'00'.repeat(31)}`,
  'y = −1, order 2': `ec${ff30}7f`,
  'y = 0, order 4': '00'.repeat(32),
  'y = 0, order 4, the other sign': `${'00'.repeat(31)}80`,
  'order 8': '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'order 8, the other sign': '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85',
  'order 8, the other y': 'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'order 8, the other y, the other sign': 'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa',
  'y = 1 with a sign, though x is 0': `01${'00'.repeat(30)}80`,
  'y = −1 with a sign, though x is 0': `ec${ff30}ff`,
  'y = p, which is 0': `ed${ff30}7f`,
  'y = p, which is 0, the other sign': `ed${ff30}ff`,
  'y = p + 1, which is 1': `ee${ff30}7f`,
  'y = p + 1, which is 1, with a sign': `ee${ff30}ff`,
};
const PROPER_COUNT = 8;

/** R neutral and S = 0: what "signs" everything for the neutral point as the key. */
export const NEUTRAL_SIGNATURE = `01${'00'.repeat(63)}`;

/** What who knows `seed` could make of the first of `statements`, and everybody of any of them. */
export function oddSignatures(seed: string, statements: readonly string[]): OddSignature[] {
  const statement = statements[0]!;
  return [...timesEight(seed, statement), ...improperPoints(seed, statement), ...forgeries(statements)];
}

/** `scalar` times B is the key's and `nonce` times B is R's part without small order. */
function timesEight(seed: string, statement: string): OddSignature[] {
  const scalar = scalarOf(seed);
  const nonce = 7n;
  const [key, r] = [multiply(B, scalar), multiply(B, nonce)];
  const sign = (what: string, keyPoint: Point, rPoint: Point): OddSignature => {
    const [publicKey, rBytes] = [encodePoint(keyPoint), encodePoint(rPoint)];
    const k = challengeOf(rBytes, publicKey, statement);
    const s = (nonce + k * scalar) % GROUP_ORDER;
    const [left, right] = [multiply(B, s), add(rPoint, multiply(keyPoint, k))];
    const isSame = (a: Point, b: Point): boolean => encodePoint(a) === encodePoint(b);
    if (isSame(left, right) || !isSame(multiply(left, 8n), multiply(right, 8n))) {
      throw new TypeError(`"${what}" is not right only times 8`);
    }
    return { name: `right only times 8: ${what}`, publicKey, statement, signature: rBytes + hexOfNumber(s) };
  };
  return [
    sign('R has a part of order 8', key, add(r, ORDER_8)),
    sign('the key has a part of order 8', add(key, ORDER_8), r),
  ];
}

/** R is the neutral point: a verifier that decodes R, and does not compare its bytes, would take these. */
function improperPoints(seed: string, statement: string): OddSignature[] {
  const scalar = scalarOf(seed);
  const publicKey = encodePoint(multiply(B, scalar));
  const forms = ['y = 1 with a sign, though x is 0', 'y = p + 1, which is 1'];
  return forms.map((form) => {
    const r = SMALL_ORDER_KEYS[form]!;
    const s = (challengeOf(r, publicKey, statement) * scalar) % GROUP_ORDER;
    const name = `R is not in its proper form: ${form}`;
    return { name, publicKey, statement, signature: r + hexOfNumber(s) };
  });
}

/** For each key of small order one that ed25519 as such takes: found by trying. */
function forgeries(statements: readonly string[]): OddSignature[] {
  const points = Object.values(SMALL_ORDER_KEYS).slice(0, PROPER_COUNT);
  return Object.entries(SMALL_ORDER_KEYS).map(([what, publicKey]) => {
    const candidates = statements.flatMap((statement) =>
      points.map((r) => ({ statement, signature: r + '00'.repeat(32) })),
    );
    const found = candidates.find(({ statement, signature }) => passes(publicKey, statement, signature));
    if (found === undefined) throw new TypeError(`nothing passes for "${what}"`);
    return { name: `by a key of small order, made without it: ${what}`, publicKey, ...found };
  });
}

/** What node:crypto says, which does not ask what kind of key it is. */
function passes(publicKey: string, statement: string, signature: string): boolean {
  const x = Buffer.from(bytesOfHex(publicKey)).toString('base64url');
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
  return verify(null, bytesOfHex(statement), key, bytesOfHex(signature));
}
