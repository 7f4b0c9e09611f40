/** The worked example of PROTOCOL.md §4.7 is what the code writes and reads. */
import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { decodeDeltaPayload, encodeDeltaPayload } from '@freshet/protocol/delta-payload';
import { layoutOf } from '../support/deltas.ts';
import { bytesOfHex, hexOf } from '../support/vectors/hex.ts';

const protocol = readFileSync(join(import.meta.dirname, '../../PROTOCOL.md'), 'utf8');
const [, block = ''] = protocol.match(/<!-- example -->\n```\n([^`]*)```\n<!-- \/example -->/) ?? [];
const examples = block
  .trim()
  .split('\n')
  .map((line) => ({ format: line.slice(0, 4).trim(), payload: line.slice(4).replaceAll(/[ |]/g, '') }));

const base = new Float32Array(10).fill(1);
const layout = layoutOf([10]);

describe('the worked example', () => {
  it('is of f32 and f16', () =>
    assert.deepEqual(
      examples.map(({ format }) => format),
      ['f32', 'f16'],
    ));

  for (const format of ['f32', 'f16'] as const) {
    it(`as ${format}`, () => {
      const { payload } = examples.find((example) => example.format === format)!;
      const delta = decodeDeltaPayload(bytesOfHex(payload), base, layout);
      assert.deepEqual([...delta.indices], [3]);
      assert.deepEqual([...new Float32Array(delta.valueBits.buffer)], [1.5]);
      assert.equal(hexOf(encodeDeltaPayload(delta, base, layout, [{ format }])), payload);
    });
  }
});
