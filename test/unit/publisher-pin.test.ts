/** The pinned key on disk: what the operator says, what the publisher makes of it, and what outlives a restart. */
import { strict as assert } from 'node:assert';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { it, type TestContext } from 'node:test';
import { openStore, type PublisherKeySetting } from '@freshet/edge-agent/agent/open-store';
import { publisherKey } from '@freshet/edge-agent/cli/publisher-key-option';
import { pino } from 'pino';
import { keyOf } from '../support/publisher-line.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const [a, b, c] = [1, 2, 3].map((seed) => keyOf(seed).publicKey);
assert.ok(a !== undefined && b !== undefined && c !== undefined);

function setUp(test: TestContext) {
  const path = join(temporaryDirectory(test), 'weights.db');
  const lines: string[] = [];
  const log = pino({ base: null }, { write: (line: string) => lines.push(line) });
  return {
    logged: () => lines.map((line) => JSON.parse(line) as { from: string | null; to: string | null }),
    /** Starts with `setting`, lets the publisher rotate to `next`, ends. What is pinned then. */
    start(setting: PublisherKeySetting, next: typeof a | null = null) {
      const store = openStore(path, { clock: () => 0 }, setting, log);
      if (next !== null && next !== undefined) store.publisher.follow(next);
      const keys = store.publisher.keys();
      store.close();
      return keys;
    },
  };
}

it('a key that was given once is pinned in all later starts', (test) => {
  const { start } = setUp(test);
  assert.equal(start(null), null);
  const pinned = { configured: a, current: a };
  assert.deepEqual(start(a), pinned);
  assert.deepEqual(start(null), pinned);
  assert.deepEqual(start(a), pinned);
});

it('a rotation outlives starts with and without the key that was given', (test) => {
  const { start } = setUp(test);
  start(a, b);
  start(null, c);
  const rotated = { configured: a, current: c };
  assert.deepEqual(start(a), rotated);
  assert.deepEqual(start(null), rotated);
});

it('another key takes the place of pin and rotations; none takes both away', (test) => {
  const { start, logged } = setUp(test);
  start(a, b);
  assert.deepEqual(start(c), { configured: c, current: c });
  // Back to the first, as given: the rotations of then are gone with it.
  assert.deepEqual(start(a), { configured: a, current: a });
  assert.equal(start('none'), null);
  assert.equal(start(null), null);
  const short = (key: string) => `${key.slice(0, 12)}…`;
  assert.deepEqual(
    logged().map(({ from, to }) => [from, to]),
    [
      [null, short(a)],
      [short(b), short(c)],
      [short(c), short(a)],
      [short(a), null],
    ],
  );
});

it('the option takes digits, a file with them, or none', (test) => {
  const path = join(temporaryDirectory(test), 'publisher.pub');
  writeFileSync(path, `${a.toUpperCase()}\n`);
  assert.equal(publisherKey(a), a);
  assert.equal(publisherKey(a.toUpperCase()), a);
  assert.equal(publisherKey(`@${path}`), a);
  assert.equal(publisherKey('none'), 'none');
  for (const text of ['', 'seven', a.slice(2), `${a}00`, '00'.repeat(32), '@']) {
    assert.throws(() => publisherKey(text), /It must be the 64 hex digits|cannot be read/);
  }
  assert.throws(() => publisherKey(`@${path}.missing`), /publisher\.pub\.missing cannot be read \(ENOENT\)/);
});
