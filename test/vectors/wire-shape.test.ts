/**
 * PROTOCOL.md states the messages, and they cannot change without the protocol version: the hash below belongs to one
 * version. After an intended change raise PROTOCOL_VERSION with a line of history, paste the new blocks and the hash.
 */
import { strict as assert } from 'node:assert';
import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { PROTOCOL_VERSION } from '@freshet/protocol/version';
import { downstreamNotation, upstreamNotation } from '../support/wire-notation.ts';

const SHAPE_OF_VERSION: Readonly<Record<number, string>> = {
  1: 'ee3359390b0ab430e6f0499e8f6c85d36f8af39cc8b61cf050d29e3f214b5e99',
  2: '0bfe317760f97b4711e53e9ed1d9886f88cc8dc291e23d665fedb10218e33b30',
};

const protocol = readFileSync(join(import.meta.dirname, '../../PROTOCOL.md'), 'utf8');

function block(name: string): string {
  const [, rest = ''] = protocol.split(`<!-- ${name} -->\n`);
  const [text = ''] = rest.split(`\n<!-- /${name} -->`);
  return text;
}

it('PROTOCOL.md states the messages as the code has them', () => {
  assert.equal(block('upstream'), upstreamNotation());
  assert.equal(block('downstream'), downstreamNotation());
});

it('the shape of the messages belongs to this protocol version', () => {
  const shape = hash('sha256', `${upstreamNotation()}\n${downstreamNotation()}`);
  assert.equal(shape, SHAPE_OF_VERSION[PROTOCOL_VERSION]);
});
