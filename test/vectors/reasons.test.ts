/** There is an invalid vector for every reason that a decoder can refuse bytes for, as the sources have it. */
import { strict as assert } from 'node:assert';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { frozenVectors } from '../support/vectors/frozen-vectors.ts';

const PROTOCOL = join(import.meta.dirname, '../../protocol');

/** What `refuse` is called with in files that fit `pattern`, as expressions: each `${…}` stands for anything. */
function reasonsIn(pattern: string, refuse: string): RegExp[] {
  const call = new RegExp(`throw ${refuse}\\(\\s*(?:'([^']*)'|\`([^\`]*)\`)`, 'g');
  return globSync(pattern, { cwd: PROTOCOL }).flatMap((file) =>
    [...readFileSync(join(PROTOCOL, file), 'utf8').matchAll(call)].map(([, plain, template]) => {
      const parts = (plain ?? template ?? '').split(/\$\{[^}]*\}/);
      return new RegExp(parts.map((part) => part.replaceAll(/[.*+?^$()|[\]{}\\]/g, '\\$&')).join('.*'));
    }),
  );
}

const DECODERS = [
  { file: 'delta.json', pattern: '{delta-payload.ts,payload/*.ts}', refuse: 'malformedDelta', countMin: 16 },
  { file: 'messages.json', pattern: 'plain-msgpack.ts', refuse: 'malformed', countMin: 6 },
  { file: 'snapshot-chunk.json', pattern: 'snapshot-chunk.ts', refuse: 'malformedSnapshot', countMin: 8 },
] as const;

describe('every reason has a vector', () => {
  for (const { file, pattern, refuse, countMin } of DECODERS) {
    it(`of ${file}`, () => {
      const expected = reasonsIn(pattern, refuse);
      assert.ok(
        expected.length >= countMin,
        `${expected.length} reasons: are they written in another way now?`,
      );
      const reasons = frozenVectors(file).invalid.map(({ reason }) => reason);
      assert.deepEqual(
        expected.filter((expression) => !reasons.some((reason) => expression.test(reason))),
        [],
      );
    });
  }
});
