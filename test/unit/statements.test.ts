/** What is signed, byte by byte: a second implementation must come to the same bytes. */
import { strict as assert } from 'node:assert';
import { it } from 'node:test';
import {
  asAgentId,
  asLineId,
  asModelDigest,
  asPublicKey,
  asRoot,
  asWeightsVersion,
} from '@freshet/protocol/ids';
import { commandStatement, rotationStatement, versionStatement } from '@freshet/protocol/statements';

const LINE = '11'.repeat(16);
const lineId = asLineId(LINE);
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

it('a version: 04, line, model, version, root', () => {
  const position = { version: asWeightsVersion(0x0102_0304_0506), root: asRoot('33'.repeat(32)) };
  assert.equal(
    hex(versionStatement(lineId, asModelDigest('22'.repeat(32)), position)),
    `04${LINE}${'22'.repeat(32)}0605040302010000${'33'.repeat(32)}`,
  );
});

it('a rotation: 05, line, serial, key', () => {
  assert.equal(
    hex(rotationStatement(lineId, 64, asPublicKey('44'.repeat(32)))),
    `05${LINE}40000000${'44'.repeat(32)}`,
  );
});

it('a command: 06, line, length and name of the agent, id, action, version', () => {
  const pin = { id: 7, action: 'pin' as const, version: asWeightsVersion(300) };
  // 'e1' is 65 31; 300 is 0x012c.
  assert.equal(
    hex(commandStatement(lineId, asAgentId('e1'), pin)),
    `06${LINE}02006531${'07'.padEnd(16, '0')}00${'2c01'.padEnd(16, '0')}`,
  );
  const follow = { id: 2 ** 53 - 1, action: 'follow' as const, version: null };
  assert.equal(
    hex(commandStatement(lineId, asAgentId('e1'), follow)),
    `06${LINE}02006531ffffffffffff1f0001${'00'.repeat(8)}`,
  );
});
