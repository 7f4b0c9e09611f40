/** Frames that are no MessagePack of ours, cut off, bombs, or too large. */
import {
  DOWNSTREAM_FRAME_BYTES_MAX,
  MESSAGE_ITEMS_MAX,
  REPORT_FRAME_BYTES_MAX,
  UPSTREAM_FRAME_BYTES_MAX,
} from '@freshet/protocol/limits';
import type { BytesSpec } from './bytes-spec.ts';
import { type InvalidFrame, invalidFrame as invalid } from './message-vector.ts';
import { array, arrayOf, bool, int64, nil, str, uint } from './msgpack-bytes.ts';
import { FRAMES, wrongField as wrong } from './true-frames.ts';

export function invalidBytes(): InvalidFrame[] {
  return [...notPlain(), ...cutOff(), ...bombs(), ...tooLarge()];
}

function notPlain(): InvalidFrame[] {
  const types = {
    'a map': '80',
    'a map with a length of 16 bits': 'de0000',
    'a map with a length of 32 bits': 'df00000000',
    'the type that is never used': 'c1',
    'float 32': 'ca3f800000',
    'float 64': 'cb3ff0000000000000',
    'a negative integer': 'ff',
    'int 8': 'd001',
    'int 16': 'd10001',
    'int 32': 'd200000001',
    'ext 8, msgpackr’s regular expression': 'c70278' + '2f61',
    'ext 16': 'c8000100' + '00',
    'ext 32': 'c90000000100' + '00',
    'fixext 1, msgpackr’s record': 'd4720a',
    'fixext 2': 'd5000000',
    'fixext 4, a time': 'd6ff00000000',
    'fixext 8': `d7ff${'00'.repeat(8)}`,
    'fixext 16': `d800${'00'.repeat(16)}`,
  };
  const plain = Object.entries(types).map(([what, hex]) => invalid('up', what, hex));
  return [
    ...plain,
    wrong('commandResult', 'outcome', 'a map in the place of text', '80'),
    wrong('commandResult', 'id', 'float 64', 'cb3ff0000000000000'),
    wrong('model', 'graph', 'an extension in the place of bytes', 'c7020a0000'),
  ];
}

function cutOff(): InvalidFrame[] {
  const [, items] = FRAMES['commandResult']!;
  const result = array(items.with(-1, str('done')));
  return [
    invalid('up', 'no byte', ''),
    ...[1, 2, 3, 4, 5].map((count) =>
      invalid('up', `commandResult: the last ${count} bytes are missing`, result.slice(0, -2 * count)),
    ),
    invalid('up', 'commandResult: a byte too many', `${result}00`),
    invalid('up', 'commandResult: twice', result.repeat(2)),
    invalid('up', 'the end inside an integer of 16 bits', '91cd00'),
    invalid('up', 'the end inside an integer of 32 bits', '91ce000000'),
    invalid('up', 'the end inside an integer of 64 bits', '91cf00000000000000'),
    invalid('up', 'the end inside the length of text', 'da00'),
    invalid('up', 'the end inside the length of bytes', 'c6000000'),
    invalid('up', 'the end inside the length of an array', 'dd000000'),
    invalid('up', 'text of 2^32 − 1 bytes that are not there', 'dbffffffff'),
    invalid('up', 'bytes of 2^32 − 1 bytes that are not there', 'c6ffffffff'),
    invalid('up', 'an array of 65,535 items that are not there', 'dcffff'),
  ];
}

function bombs(): InvalidFrame[] {
  return [
    invalid('up', 'an array of 2^32 − 1 items', 'ddffffffff'),
    invalid('up', 'six arrays in each other', `${'91'.repeat(6)}c0`),
    ...inLaterHellos(),
    invalid('up', 'arrays a thousand deep', { prefix: '', repeated: '91', times: 1000, suffix: '' }),
    invalid('up', 'arrays 60,000 deep', { prefix: '', repeated: '91', times: 60_000, suffix: '' }),
    // The outermost array counts as well: with it there is one item too many.
    invalid('down', `${MESSAGE_ITEMS_MAX} empty arrays`, {
      prefix: arrayOf(MESSAGE_ITEMS_MAX),
      repeated: '90',
      times: MESSAGE_ITEMS_MAX,
      suffix: '',
    }),
    invalid('down', 'too many items in many arrays', {
      prefix: arrayOf(20_000),
      repeated: array(new Array<string>(15).fill(nil)),
      times: 20_000,
      suffix: '',
    }),
  ];
}

/** In a field that a later version may have added to hello, and that is passed over: its bytes are checked all the same. */
function inLaterHellos(): InvalidFrame[] {
  const [, items] = FRAMES['hello']!;
  const hello = (what: string, extra: string): InvalidFrame =>
    invalid('up', `hello with a field of a later version: ${what}`, array([...items, extra]));
  return [
    hello('five arrays deep', `${'91'.repeat(5)}c0`),
    hello('a map', '80'),
    hello('a negative integer', 'ff'),
    hello('a negative integer in 64 bits', int64(2n ** 64n - 1n)),
    hello('cut off', 'cd00'),
    hello('more items than there may be', arrayOf(MESSAGE_ITEMS_MAX)),
  ];
}

function tooLarge(): InvalidFrame[] {
  /** commandResult with a byte string in the place of its number. */
  const report = (byteCount: number): BytesSpec => {
    const head = `${arrayOf(4)}${uint(5)}c6`;
    const tail = bool(true) + str('');
    const times = byteCount - (head.length + tail.length) / 2 - 4;
    return {
      prefix: head + times.toString(16).padStart(8, '0'),
      repeated: '00',
      times,
      suffix: tail,
    };
  };
  const frame = (times: number): BytesSpec => ({ prefix: '', repeated: 'c0', times, suffix: '' });
  return [
    invalid('up', `${UPSTREAM_FRAME_BYTES_MAX + 1} bytes`, frame(UPSTREAM_FRAME_BYTES_MAX + 1)),
    invalid(
      'up',
      `${UPSTREAM_FRAME_BYTES_MAX} bytes: not too many, but malformed`,
      frame(UPSTREAM_FRAME_BYTES_MAX),
    ),
    invalid('up', `a report of ${REPORT_FRAME_BYTES_MAX + 1} bytes`, report(REPORT_FRAME_BYTES_MAX + 1)),
    invalid(
      'up',
      `a report of ${REPORT_FRAME_BYTES_MAX} bytes: not too many, but malformed`,
      report(REPORT_FRAME_BYTES_MAX),
    ),
    invalid('down', `${DOWNSTREAM_FRAME_BYTES_MAX + 1} bytes`, frame(DOWNSTREAM_FRAME_BYTES_MAX + 1)),
  ];
}
