/**
 * Nothing that is signed can be changed: one bit of any field, of the key or of the signature, and it is refused. And
 * what is signed can be read in one way only, or a signature would be good for two things.
 */
import { strict as assert } from 'node:assert';
import { it } from 'node:test';
import {
  asAgentId,
  asLineId,
  asModelDigest,
  asPublicKey,
  asRoot,
  asSignature,
  asWeightsVersion,
} from '@freshet/protocol/ids';
import { isSignedBy, SigningKey } from '@freshet/protocol/signature';
import {
  commandStatement,
  rotationStatement,
  type Statement,
  versionStatement,
} from '@freshet/protocol/statements';
import fc from 'fast-check';
import '../support/seed.ts';

const hex = (byteCount: number) =>
  fc
    .uint8Array({ minLength: byteCount, maxLength: byteCount })
    .map((bytes) => Buffer.from(bytes).toString('hex'));

const lineId = hex(16).map(asLineId);
const version = fc.maxSafeNat().map((value) => asWeightsVersion(Math.max(1, value)));
const agentId = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,20}$/).map(asAgentId);

/** A thing that can be said, as JSON, and as the bytes that are signed. */
interface Said {
  readonly meaning: string;
  readonly statement: Statement;
}

const said: fc.Arbitrary<Said> = fc.oneof(
  fc.tuple(lineId, hex(32).map(asModelDigest), version, hex(32).map(asRoot)).map(
    ([line, model, each, root]): Said => ({
      meaning: JSON.stringify(['version', line, model, each, root]),
      statement: versionStatement(line, model, { version: each, root }),
    }),
  ),
  fc.tuple(lineId, fc.integer({ min: 1, max: 2 ** 32 - 1 }), hex(32).map(asPublicKey)).map(
    ([line, serial, next]): Said => ({
      meaning: JSON.stringify(['rotation', line, serial, next]),
      statement: rotationStatement(line, serial, next),
    }),
  ),
  fc
    .tuple(lineId, agentId, fc.maxSafeNat(), fc.constantFrom('pin', 'follow'), fc.option(version))
    .map(([line, agent, id, action, pinned]): Said => {
      const order = { id, action, version: pinned } as const;
      return {
        meaning: JSON.stringify(['command', line, agent, id, action, pinned]),
        statement: commandStatement(line, agent, order),
      };
    }),
);

function flipBit(digits: string, at: number): string {
  const bytes = Buffer.from(digits, 'hex');
  const bit = at % (8 * bytes.length);
  bytes[bit >> 3]! ^= 1 << (bit & 7);
  return bytes.toString('hex');
}

it('a flipped bit anywhere is refused', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 32, maxLength: 32 }),
      said,
      fc.nat(),
      (seedBytes, { statement }, at) => {
        const key = SigningKey.fromSeed(seedBytes);
        const { publicKey } = key;
        const signature = key.sign(statement);
        assert.ok(isSignedBy(publicKey, statement, signature));
        const changed = Buffer.from(flipBit(Buffer.from(statement).toString('hex'), at), 'hex');
        // Not made by a statement function: that is the point.
        assert.ok(!isSignedBy(publicKey, changed as Uint8Array as Statement, signature), 'statement');
        assert.ok(!isSignedBy(publicKey, statement, asSignature(flipBit(signature, at))), 'signature');
        assert.ok(!isSignedBy(asPublicKey(flipBit(publicKey, at)), statement, signature), 'key');
      },
    ),
    { numRuns: 300 },
  );
});

it('a statement can be read in one way only', () => {
  fc.assert(
    fc.property(said, ({ meaning, statement }) => {
      assert.equal(JSON.stringify(read(Buffer.from(statement))), meaning);
    }),
    { numRuns: 300 },
  );
});

/** The layout of statements.ts read back. What can be read back cannot stand for two things. */
function read(bytes: Buffer): unknown[] {
  let at = 17;
  const line = bytes.toString('hex', 1, at);
  const take = (byteCount: number): Buffer => {
    at += byteCount;
    return bytes.subarray(at - byteCount, at);
  };
  const takeHex = (byteCount: number): string => take(byteCount).toString('hex');
  const takeUint64 = (): number => Number(take(8).readBigUInt64LE());
  const fields = ((): unknown[] => {
    switch (bytes[0]) {
      case 4:
        return ['version', line, takeHex(32), takeUint64(), takeHex(32)];
      case 5:
        return ['rotation', line, take(4).readUInt32LE(), takeHex(32)];
      case 6: {
        const agent = take(take(2).readUInt16LE()).toString('utf8');
        return ['command', line, agent, takeUint64(), ['pin', 'follow'][take(1)[0]!], takeUint64() || null];
      }
      default:
        return ['nothing that is signed'];
    }
  })();
  assert.equal(at, bytes.length, 'nothing is left over');
  return fields;
}
