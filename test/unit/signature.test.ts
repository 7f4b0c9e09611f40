/** Keys and signatures against RFC 8032, and what must not count as a key. */
import { strict as assert } from 'node:assert';
import { createPublicKey, generateKeyPairSync, verify } from 'node:crypto';
import { describe, it } from 'node:test';
import { inspect } from 'node:util';
import { asLineId, asPublicKey, asSignature } from '@freshet/protocol/ids';
import { isPublicKey, isSignedBy, SigningKey, shortKey } from '@freshet/protocol/signature';
import { rotationStatement } from '@freshet/protocol/statements';

/** RFC 8032 §7.1, test 1. */
const SEED = Buffer.from('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60', 'hex');
const PUBLIC_KEY = asPublicKey('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a');

const key = SigningKey.fromSeed(SEED);
const statementOf = (serial: number) =>
  rotationStatement(asLineId('00'.repeat(16)), serial, asPublicKey('55'.repeat(32)));

describe('a key', () => {
  it('has the public half that the RFC gives for its seed', () => {
    assert.equal(key.publicKey, PUBLIC_KEY);
    assert.ok(isPublicKey(PUBLIC_KEY));
    assert.equal(shortKey(PUBLIC_KEY), 'd75a980182b1…');
  });

  it('comes back from PEM and signs the same', () => {
    const again = SigningKey.fromPem(key.toPem());
    assert.equal(again?.publicKey, PUBLIC_KEY);
    assert.equal(again?.sign(statementOf(1)), key.sign(statementOf(1)));
  });

  it('is not shown by what prints objects', () => {
    const secret = key.toPem().split('\n')[1]!;
    const shown = [inspect(key, { depth: 9, showHidden: true }), JSON.stringify({ key })].join();
    for (const form of [secret, SEED.toString('hex'), SEED.toString('base64')]) {
      assert.ok(!shown.includes(form), shown);
    }
    assert.deepEqual(JSON.parse(JSON.stringify(key)), { publicKey: PUBLIC_KEY });
  });

  it('is none of another kind, with a passphrase, public, or no PEM at all', () => {
    const pem = { type: 'pkcs8', format: 'pem' } as const;
    const curve = generateKeyPairSync('x25519').privateKey.export(pem).toString();
    const { privateKey, publicKey } = generateKeyPairSync('ed25519');
    const locked = privateKey.export({ ...pem, cipher: 'aes-256-cbc', passphrase: 'open' }).toString();
    const half = publicKey.export({ type: 'spki', format: 'pem' }).toString();
    for (const text of [curve, locked, half, '', 'seven', key.toPem().slice(0, 60)]) {
      assert.equal(SigningKey.fromPem(text), null);
    }
    assert.notEqual(SigningKey.fromPem(privateKey.export(pem).toString()), null);
  });
});

describe('a signature', () => {
  it('is by one key over one statement', () => {
    const other = SigningKey.fromSeed(Buffer.alloc(32, 1));
    const signature = key.sign(statementOf(1));
    assert.match(signature, /^[0-9a-f]{128}$/);
    assert.ok(isSignedBy(PUBLIC_KEY, statementOf(1), signature));
    assert.ok(!isSignedBy(PUBLIC_KEY, statementOf(2), signature));
    assert.ok(!isSignedBy(other.publicKey, statementOf(1), signature));
  });

  it('is not by a key that is no point of the curve', () => {
    const signature = key.sign(statementOf(1));
    // y = 2 has no x (RFC 8032 §5.1.3), nor is all ones below p.
    for (const noPoint of [`02${'00'.repeat(31)}`, 'ff'.repeat(32)]) {
      assert.equal(isSignedBy(asPublicKey(noPoint), statementOf(1), signature), false);
    }
  });
});

it('keys that anybody can sign for are not keys', () => {
  // R the neutral point and S = 0: passes for a key A where h·A vanishes, for one in eight statements at least.
  const forged = asSignature(`01${'00'.repeat(63)}`);
  const statements = Array.from({ length: 64 }, (_, serial) => statementOf(serial));
  const isForgeable = (candidate: string): boolean => {
    const x = Buffer.from(candidate, 'hex').toString('base64url');
    const weakKey = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
    return statements.some((statement) => verify(null, statement, weakKey, Buffer.from(forged, 'hex')));
  };
  const weak = [
    '00'.repeat(32),
    `01${'00'.repeat(31)}`,
    `00${'00'.repeat(30)}80`,
    '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
    '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85',
    'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
    'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa',
    `ec${'ff'.repeat(30)}7f`,
  ];
  for (const candidate of weak) {
    assert.ok(isForgeable(candidate), `${candidate} is not weak after all`);
    assert.equal(isPublicKey(candidate), false, candidate);
    const signed = statements.filter((statement) => isSignedBy(asPublicKey(candidate), statement, forged));
    assert.deepEqual(signed, [], candidate);
  }
  assert.equal(isPublicKey(`ed${'ff'.repeat(30)}ff`), false);
  assert.ok(!isForgeable(PUBLIC_KEY));
  for (const text of [
    '',
    PUBLIC_KEY.slice(1),
    `${PUBLIC_KEY}00`,
    PUBLIC_KEY.toUpperCase(),
    `${PUBLIC_KEY}\n`,
  ]) {
    assert.equal(isPublicKey(text), false, text);
  }
});
