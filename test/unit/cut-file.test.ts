/** A file of ten bytes, 0 to 9, without some of them. */
import { strict as assert } from 'node:assert';
import { describe, it } from 'node:test';
import { InvariantError } from '@freshet/protocol/assert';
import { type ByteRange, CutFile } from '@freshet/protocol/cut-file';
import { FreshetError } from '@freshet/protocol/errors';

const WHOLE = Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7, 8, 9);

const range = (start: number, end: number): ByteRange => ({ start, end });

function cut(...holes: ByteRange[]): CutFile {
  const isKept = (position: number) => !holes.some(({ start, end }) => position >= start && position < end);
  return new CutFile(WHOLE.filter(isKept), holes);
}

function isMissing(position: number): (error: unknown) => boolean {
  return (error) => {
    assert(error instanceof FreshetError && error.code === 'ONNX_MALFORMED', String(error));
    assert.deepEqual(error.details, { byteOffset: position });
    return true;
  };
}

describe('CutFile', () => {
  const HOLES: Readonly<Record<string, ByteRange[]>> = {
    'no hole': [],
    'a hole inside': [range(3, 5)],
    'a hole at the start': [range(0, 2)],
    'a hole at the end': [range(7, 10)],
    'holes side by side': [range(2, 4), range(4, 5), range(5, 8)],
    'holes of no bytes': [
      range(0, 0),
      range(3, 3),
      range(3, 3),
      range(3, 6),
      range(6, 6),
      range(8, 8),
      range(10, 10),
    ],
    'nothing left': [range(0, 10)],
  };

  for (const [what, holes] of Object.entries(HOLES)) {
    it(`reads in any order what is left: ${what}`, () => {
      const file = cut(...holes);
      assert.equal(file.byteCount, WHOLE.length);
      const missing = (position: number) =>
        holes.some(({ start, end }) => position >= start && position < end);
      for (const position of [...WHOLE, ...WHOLE.toReversed(), 5, 0, 9, 1, 7, 3]) {
        if (missing(position)) assert.throws(() => file.byteAt(position), isMissing(position));
        else assert.equal(file.byteAt(position), position);
      }
    });

    it(`reads the ranges that are left: ${what}`, () => {
      const file = cut(...holes);
      for (let start = 0; start <= WHOLE.length; start++) {
        for (let end = start; end <= WHOLE.length; end++) {
          const asked = WHOLE.subarray(start, end);
          const firstMissing = asked.find((at) => holes.some((hole) => at >= hole.start && at < hole.end));
          if (firstMissing === undefined) assert.deepEqual(file.bytes(range(start, end)), asked);
          else assert.throws(() => file.bytes(range(start, end)), isMissing(firstMissing));
        }
      }
    });
  }

  it('gives views on the bytes that it was made of', () => {
    const kept = Uint8Array.of(0, 1, 4, 5);
    const file = new CutFile(kept, [range(2, 4)]);
    assert.equal(file.bytes(range(4, 6)).buffer, kept.buffer);
  });

  it('has holes that ascend, do not overlap and lie in the file', () => {
    const kept = new Uint8Array(4);
    const refused = [[range(2, 4), range(3, 5)], [range(4, 5), range(2, 3)], [range(3, 2)], [range(5, 6)]];
    for (const holes of refused) assert.throws(() => new CutFile(kept, holes), InvariantError);
  });
});
