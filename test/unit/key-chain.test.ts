/** Which key may sign a line next. */
import { strict as assert } from 'node:assert';
import { it } from 'node:test';
import { asPublicKey } from '@freshet/protocol/ids';
import { KEY_ROTATIONS_MAX } from '@freshet/protocol/limits';
import { keysToAppend } from '../../trainer/core/key-chain.ts';
import { freshetError } from '../support/serving.ts';

const keyOf = (n: number) => asPublicKey(n.toString(16).padStart(2, '0').repeat(32));
const [a, b, c] = [keyOf(0xa0), keyOf(0xb0), keyOf(0xc0)];

it('a line without a key takes the first it is given, after the one that agents may have pinned', () => {
  assert.deepEqual(keysToAppend([], a, null), [a]);
  assert.deepEqual(keysToAppend([], a, a), [a]);
  assert.deepEqual(keysToAppend([], b, a), [a, b]);
});

it('the newest key goes on, whatever is still said about the one before', () => {
  assert.deepEqual(keysToAppend([a], a, null), []);
  assert.deepEqual(keysToAppend([a, b], b, a), []);
  assert.deepEqual(keysToAppend([a, b], b, c), []);
});

it('a new key is taken from the newest only', () => {
  assert.deepEqual(keysToAppend([a], b, a), [b]);
  assert.deepEqual(keysToAppend([a, b], c, b), [c]);
  const unintroduced =
    /signed with key b0b0b0b0b0b0… and --signing-key is c0c0c0c0c0c0….* with --previous-key/;
  assert.throws(() => keysToAppend([a, b], c, null), freshetError('CONFIG_INVALID', unintroduced));
  const outdated = /signed with key b0b0b0b0b0b0… and --previous-key is a0a0a0a0a0a0…: only the former/;
  assert.throws(() => keysToAppend([a, b], c, a), freshetError('CONFIG_INVALID', outdated));
});

it('a key that was replaced does not come back', () => {
  const replaced = /--signing-key is a0a0a0a0a0a0…, which this line has given up for b0b0b0b0b0b0…/;
  for (const previous of [null, a, b]) {
    assert.throws(() => keysToAppend([a, b], a, previous), freshetError('CONFIG_INVALID', replaced));
  }
});

it('there are as many changes as welcome can list, and no more', () => {
  const chain = Array.from({ length: KEY_ROTATIONS_MAX }, (_, i) => keyOf(i));
  const newest = chain.at(-1)!;
  assert.deepEqual(keysToAppend(chain, a, newest), [a]);
  const full = /changed 64 times, which is the most/;
  assert.throws(() => keysToAppend([...chain, a], b, a), freshetError('CONFIG_INVALID', full));
});
