/** JSON Lines, however the bytes of the file come in. */
import { strict as assert } from 'node:assert';
import { describe, it } from 'node:test';
import { type JsonLine, readJsonLines } from '@freshet/protocol/local/json-lines';
import fc from 'fast-check';
import { freshetError } from '../support/serving.ts';
import '../support/seed.ts';

/** `bytes` in pieces that end at `cuts`. */
async function* pieces(bytes: Uint8Array, cuts: readonly number[]): AsyncGenerator<Uint8Array> {
  const ends = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((left, right) => left - right);
  let start = 0;
  for (const end of [...ends, bytes.length]) {
    yield bytes.subarray(start, end);
    start = end;
  }
}

async function read(
  content: string | Uint8Array,
  { cuts = [], lineBytesMax = 1000 }: { cuts?: readonly number[]; lineBytesMax?: number } = {},
): Promise<JsonLine[]> {
  const lines: JsonLine[] = [];
  for await (const line of readJsonLines(pieces(Buffer.from(content), cuts), 'x.jsonl', lineBytesMax)) {
    lines.push(line);
  }
  return lines;
}

describe('JSON Lines', () => {
  it('are read whatever the pieces, with their numbers and where they end', async () => {
    const value = fc.oneof(
      fc.constant(''),
      fc.constant('  '),
      fc.jsonValue().map((each) => JSON.stringify(each)),
    );
    const end = fc.constantFrom('\n', '\r\n');
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(value, end), { maxLength: 8 }),
        fc.boolean(),
        fc.array(fc.nat(), { maxLength: 6 }),
        async (rows, endsWithNewline, cuts) => {
          const whole = rows.map(([text, newline]) => text + newline).join('');
          const content = endsWithNewline ? whole : whole.replace(/\r?\n$/, '');
          const expected = rows.flatMap(([text], i) => {
            return text.trim() === '' ? [] : [{ number: i + 1, value: JSON.parse(text) as unknown }];
          });
          const lines = await read(content, { cuts, lineBytesMax: 1e6 });
          assert.deepEqual(
            lines.map(({ number, value }) => ({ number, value })),
            expected,
          );
          for (const line of lines) {
            const before = Buffer.from(content)
              .subarray(0, line.endBytes - 1)
              .toString()
              .split('\n');
            assert.equal(before.length, line.number);
            assert.equal(Buffer.byteLength(before.at(-1)!), line.byteCount);
          }
        },
      ),
    );
  });

  it('that are none are named by their number', async () => {
    const refused = (says: string) => freshetError('INPUT_INVALID', says);
    await assert.rejects(read('1\n\n{"a": \n2'), refused('x.jsonl, line 3 is not JSON'));
    const hint = ': it knows no NaN and no Infinity';
    await assert.rejects(read('{"a": [1, NaN]}'), refused(`x.jsonl, line 1 is not JSON${hint}`));
    await assert.rejects(read('{"a":-Infinity}'), refused(`x.jsonl, line 1 is not JSON${hint}`));
    await assert.rejects(
      read(Uint8Array.of(0x31, 0x0a, 0x22, 0xff, 0x22)),
      refused('x.jsonl, line 2 is not UTF-8'),
    );
  });

  it('that are too long are refused before all of them is read', async () => {
    let pulled = 0;
    async function* endless(): AsyncGenerator<Uint8Array> {
      yield Buffer.from('1\n');
      for (;;) {
        pulled++;
        yield Buffer.alloc(100, '1');
      }
    }
    const lines = readJsonLines(endless(), 'x.jsonl', 1000);
    assert.equal((await lines.next()).value.number, 1);
    const says = 'x.jsonl, line 2 is longer than the 1000 bytes that a sample may have';
    await assert.rejects(lines.next(), freshetError('INPUT_INVALID', says));
    assert.equal(pulled, 11);
    assert.equal((await read(`${'1'.repeat(300)}\n1`, { lineBytesMax: 300 })).length, 2);
    await assert.rejects(
      read(`${'1'.repeat(301)}\n1`, { lineBytesMax: 300 }),
      freshetError('INPUT_INVALID', 'line 1'),
    );
  });
});
