/** Frames against messages.json, both ways. */
import { strict as assert } from 'node:assert';
import { describe, it } from 'node:test';
import { DOWNSTREAM, UPSTREAM } from '@freshet/protocol/messages';
import { bytesOfSpec } from '../support/vectors/bytes-spec.ts';
import { frozenVectors } from '../support/vectors/frozen-vectors.ts';
import { codecOf, decodeFrame, encodeFrame } from '../support/vectors/message-vector.ts';

const { valid, accepted, disputed, invalid } = frozenVectors('messages.json');

describe('a valid frame', () => {
  for (const { name, direction, frame, message } of valid) {
    it(name, () => {
      assert.deepEqual(decodeFrame(direction, frame), message);
      assert.equal(encodeFrame(direction, message), frame);
    });
  }

  it('of every message, and where something may be missing, with it and without', () => {
    for (const [type, { fields }] of Object.entries({ ...UPSTREAM, ...DOWNSTREAM })) {
      const messages = valid.map(({ message }) => message).filter((message) => message['type'] === type);
      assert.ok(messages.length > 0, type);
      for (const [name, field] of Object.entries(fields)) {
        const absent = 'absent' in field ? field.absent : null;
        if (!('absent' in field) && !field.notation.endsWith('/ nil')) continue;
        const isMissing = messages.map((message) => message[name] === absent);
        assert.deepEqual(new Set(isMissing), new Set([true, false]), `${type}.${name}`);
      }
    }
  });

  it('with and without signatures', () => {
    const proofs = valid.flatMap(({ message }) => [message['proof'], message['head']]);
    const text = JSON.stringify(proofs);
    assert.match(text, /"signature":null/);
    assert.match(text, /"signature":"[0-9a-f]{128}"/);
  });
});

describe('a frame as only others write it', () => {
  for (const { name, direction, frame, message } of accepted) {
    it(name, () => {
      assert.deepEqual(decodeFrame(direction, frame), message);
      assert.notEqual(encodeFrame(direction, message), frame);
    });
  }
});

describe('a frame that may be taken or refused: ours takes it', () => {
  for (const { name, direction, frame, message } of disputed) {
    it(name, () => {
      assert.deepEqual(decodeFrame(direction, frame), message);
      assert.notEqual(encodeFrame(direction, message), frame, 'no sender writes it');
      assert.match(JSON.stringify(message), /\ufffd/);
    });
  }
});

describe('an invalid frame', () => {
  for (const { name, direction, frame, code, reason } of invalid) {
    it(`${direction}: ${name}`, () => {
      const bytes = bytesOfSpec(frame);
      assert.throws(() => codecOf(direction).decode(bytes), { code, message: reason });
    });
  }
});
