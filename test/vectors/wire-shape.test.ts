/**
 * PROTOCOL.md states the messages, and neither they nor any other bytes on the wire can change without the protocol
 * version: the hashes below belong to one version. They cover the notation of the messages and the vectors that decode,
 * with their bytes: of frames, delta payloads, digests, chunks and statements.
 *
 * After an intended change of the wire: raise PROTOCOL_VERSION with a line of history, run `npm run vectors`, and paste
 * the new blocks into PROTOCOL.md and the new hashes, as a row of their own, into here. Where vectors were only added,
 * the version stays, and the new hash takes the place of the old one.
 */
import { strict as assert } from 'node:assert';
import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { PROTOCOL_VERSION } from '@freshet/protocol/version';
import { frozenVectors } from '../support/vectors/frozen-vectors.ts';
import { VECTOR_FILES, type VectorFile } from '../support/vectors/vector-files.ts';
import { downstreamNotation, upstreamNotation } from '../support/wire-notation.ts';

const NOTATION_OF_VERSION: Readonly<Record<number, string>> = {
  1: 'ee3359390b0ab430e6f0499e8f6c85d36f8af39cc8b61cf050d29e3f214b5e99',
  2: '70285572746df21c36d4348074d5a1445265164d034e4a3a6e87e45dcb213b9c',
};

/** Version 1 had no vectors. */
const VECTORS_OF_VERSION: Readonly<Record<number, Readonly<Record<VectorFile, string>>>> = {
  2: {
    'delta.json': '7cd5dbf5c0d9a336c59f26eae1d7d34f493e392c3e85be5c4846e35e74ab0ac8',
    'digest.json': 'c40f8970c9452ce3fd14a2721d5b4a6b72ace3a38c5f5f009c9f57c92a497747',
    'messages.json': 'f926568f90c26e6b8f790633a84d63d960467a56c97acf241573e90d98fb5469',
    'signatures.json': 'e603b75d90e4e22fb2babf51a735b50077097cacae19a80634f08d0a52718692',
    'snapshot-chunk.json': 'c2db5d4c1c2c8662efeb875843f620d558949d5f77a90828e7b719f01f21e147',
  },
};

const protocol = readFileSync(join(import.meta.dirname, '../../PROTOCOL.md'), 'utf8');

function block(name: string): string {
  const [, rest = ''] = protocol.split(`<!-- ${name} -->\n`);
  const [text = ''] = rest.split(`\n<!-- /${name} -->`);
  return text;
}

/** What of `file` every implementation of this version has to agree on: all that is taken, and what it means. */
function agreedOn(file: VectorFile): string {
  const vectors = frozenVectors(file);
  const positions = 'positions' in vectors ? [vectors.positions.accepted] : [];
  return JSON.stringify([vectors.valid, 'accepted' in vectors ? vectors.accepted : [], ...positions]);
}

it('PROTOCOL.md states the messages as the code has them', () => {
  assert.equal(block('upstream'), upstreamNotation());
  assert.equal(block('downstream'), downstreamNotation());
});

describe('belongs to this protocol version', () => {
  it('the notation of the messages', () => {
    const shape = hash('sha256', `${upstreamNotation()}\n${downstreamNotation()}`);
    assert.equal(
      shape,
      NOTATION_OF_VERSION[PROTOCOL_VERSION],
      'the messages have changed: raise PROTOCOL_VERSION, and put this hash into a row for it',
    );
  });

  for (const file of Object.keys(VECTOR_FILES) as VectorFile[]) {
    it(`what ${file} says`, () => {
      assert.equal(frozenVectors(file).protocol, PROTOCOL_VERSION);
      const actual = hash('sha256', agreedOn(file));
      assert.equal(
        actual,
        VECTORS_OF_VERSION[PROTOCOL_VERSION]?.[file],
        `${file} hashes to ${actual}: if its bytes have changed, raise PROTOCOL_VERSION and put the hash into a row for ` +
          'it; if vectors were only added, put it in the place of the old one',
      );
    });
  }
});
