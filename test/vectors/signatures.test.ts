/** Keys, statements and who is believed, against signatures.json. */
import { strict as assert } from 'node:assert';
import { describe, it } from 'node:test';
import { asPublicKey, asSignature } from '@freshet/protocol/ids';
import { isPublicKey, isSignedBy, SigningKey } from '@freshet/protocol/signature';
import type { Statement } from '@freshet/protocol/statements';
import { frozenVectors } from '../support/vectors/frozen-vectors.ts';
import { bytesOfHex, hexOf } from '../support/vectors/hex.ts';
import { codeOfFrame, outcomeOfWelcome } from '../support/vectors/signature-authority.ts';
import { statementOf } from '../support/vectors/signed-statements.ts';

const { valid, invalid, authority } = frozenVectors('signatures.json');

/** Bytes in a file may be any: what they are not is made by the functions that make statements. */
const bytesOfStatement = (hex: string): Statement => bytesOfHex(hex) as Uint8Array as Statement;

describe('a key', () => {
  for (const { name, seed, publicKey } of valid.keys) {
    it(name, () => {
      assert.equal(SigningKey.fromSeed(bytesOfHex(seed)).publicKey, publicKey);
      assert.ok(isPublicKey(publicKey));
    });
  }
});

describe('no key', () => {
  for (const { name, publicKey } of invalid.keys) it(name, () => assert.ok(!isPublicKey(publicKey)));
});

describe('a statement', () => {
  const keys = new Map(valid.keys.map(({ seed, publicKey }) => [publicKey, seed]));
  for (const { name, lineId, says, statement, signer, signature } of valid.statements) {
    it(name, () => {
      const bytes = statementOf(lineId, says);
      assert.equal(hexOf(bytes), statement);
      assert.equal(SigningKey.fromSeed(bytesOfHex(keys.get(signer)!)).sign(bytes), signature);
      assert.ok(isSignedBy(asPublicKey(signer), bytes, asSignature(signature)));
    });
  }
});

describe('no signature', () => {
  for (const { name, publicKey, statement, signature } of invalid.signatures) {
    it(name, () => {
      const bytes = bytesOfStatement(statement);
      assert.ok(!isSignedBy(asPublicKey(publicKey), bytes, asSignature(signature)));
    });
  }
});

describe('a device with a pinned key is greeted', () => {
  for (const vector of authority.welcomes) {
    it(vector.name, () => assert.deepEqual(outcomeOfWelcome(vector), vector.outcome));
  }
});

describe('a device with a pinned key is sent', () => {
  for (const vector of authority.frames) {
    it(vector.name, () => assert.equal(codeOfFrame(vector), vector.code));
  }
});
