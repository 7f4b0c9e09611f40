/** Which protocol version two sides agree on, and what the hub makes of an agent's claims. */
import { strict as assert } from 'node:assert';
import { describe, it } from 'node:test';
import { capabilitiesOf, negotiateProtocol, OUR_PROTOCOL_RANGE } from '@freshet/protocol/handshake';
import { FRAME_BYTES_FLOOR } from '@freshet/protocol/limits';
import { VALUE_FORMATS } from '@freshet/protocol/payload/value-format';
import { PROTOCOL_VERSION, PROTOCOL_VERSION_FLOOR } from '@freshet/protocol/version';
import { freshetError } from '../support/serving.ts';

const range = (protocolMin: number, protocolMax: number) => ({ protocolMin, protocolMax });

describe('protocol version', () => {
  const meeting: readonly [theirs: [number, number], ours: [number, number], version: number][] = [
    [[4, 4], [4, 4], 4],
    [[1, 9], [4, 6], 6],
    [[4, 6], [1, 9], 6],
    [[1, 4], [4, 9], 4],
    [[6, 9], [4, 6], 6],
    [[5, 0xffff_ffff], [4, 6], 6],
  ];
  for (const [theirs, ours, version] of meeting) {
    it(`is ${version} where ${theirs.join('–')} meets ${ours.join('–')}: the newest that both speak`, () =>
      assert.equal(negotiateProtocol(range(...theirs), range(...ours)), version));
  }

  const apart: readonly [theirs: [number, number], ours: [number, number], behind: RegExp][] = [
    [[1, 3], [4, 6], /the agent speaks protocol 1–3, the hub 4–6: upgrade the agent/],
    [[7, 9], [4, 6], /the agent speaks protocol 7–9, the hub 4–6: upgrade the hub/],
    [[6, 4], [4, 6], /the agent speaks protocol 6–4/],
  ];
  for (const [theirs, ours, says] of apart) {
    it(`is none where ${theirs.join('–')} does not meet ${ours.join('–')}`, () =>
      assert.throws(
        () => negotiateProtocol(range(...theirs), range(...ours)),
        freshetError('PROTOCOL_UNSUPPORTED', says),
      ));
  }

  it('is ours among ourselves', () => {
    assert.deepEqual(OUR_PROTOCOL_RANGE, range(PROTOCOL_VERSION_FLOOR, PROTOCOL_VERSION));
    assert.equal(negotiateProtocol(OUR_PROTOCOL_RANGE), PROTOCOL_VERSION);
  });
});

describe('capabilities', () => {
  const cases: readonly [claimed: readonly string[], known: readonly string[]][] = [
    [[], ['f32']],
    [['f32'], ['f32']],
    [
      ['q4', 'f16'],
      ['f32', 'f16', 'q4'],
    ],
    [['F16', 'f17', '', 'f32,f16'], ['f32']],
    [VALUE_FORMATS, VALUE_FORMATS],
  ];
  for (const [claimed, known] of cases) {
    it(`of [${claimed.join(' ')}] are ${known.join(' ')}`, () => {
      const { valueFormats, frameBytesMax } = capabilitiesOf({
        valueFormats: claimed,
        frameBytesMax: FRAME_BYTES_FLOOR,
      });
      assert.deepEqual([...valueFormats], known);
      assert.equal(frameBytesMax, FRAME_BYTES_FLOOR);
    });
  }
});
