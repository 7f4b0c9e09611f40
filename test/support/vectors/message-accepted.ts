/**
 * Frames that our encoder does not write and every decoder takes: longer forms, absent fields that are there, and fields
 * of a later version.
 */

import { ROOT } from './message-valid.ts';
import { type AcceptedFrame, type Direction, decodeFrame } from './message-vector.ts';
import { array, bin, bool, int64, nil, str, uint, uint64 } from './msgpack-bytes.ts';
import { FRAMES } from './true-frames.ts';

function accepted(direction: Direction, name: string, frame: string): AcceptedFrame {
  return { name, direction, frame, message: decodeFrame(direction, frame) };
}

export function acceptedFrames(): AcceptedFrame[] {
  return [...longerForms(), ...laterHellos()];
}

function longerForms(): AcceptedFrame[] {
  const position = array([uint(42), bin(ROOT)]);
  const ack = (version: string): string => array([uint(2), array([version, bin(ROOT)]), nil, bool(false)]);
  const delta = [uint(20), uint(64), uint(41), uint(1), bin(ROOT), bin('000169')];
  const result = (outcome: string): string => array([uint(5), uint(7), bool(true), outcome]);
  return [
    accepted('up', 'an integer in 8 bits', ack('cc2a')),
    accepted('up', 'an integer in 16 bits', ack('cd002a')),
    accepted('up', 'an integer in 32 bits', ack('ce0000002a')),
    accepted('up', 'an integer in 64 bits, unsigned', ack(uint64(42))),
    accepted('up', 'an integer in 64 bits, signed', ack(int64(42))),
    accepted('up', 'a large integer, unsigned', ack(uint64(2 ** 40))),
    accepted('up', 'the number of a message in 64 bits', array([uint64(2), position, nil, bool(false)])),
    accepted('up', 'text with a length of 8 bits', result('d90161')),
    accepted('up', 'text with a length of 16 bits', result('da000161')),
    accepted('up', 'text with a length of 32 bits', result('db0000000161')),
    accepted('up', 'an array with a length of 16 bits', `dc0004${uint(5)}${uint(7)}${bool(true)}${str('')}`),
    accepted(
      'up',
      'an array with a length of 32 bits',
      `dd00000004${uint(5)}${uint(7)}${bool(true)}${str('')}`,
    ),
    accepted('down', 'bytes with a length of 16 bits', array([uint(19), uint(0), 'c5000100'])),
    accepted('down', 'bytes with a length of 32 bits', array([uint(19), uint(0), 'c60000000100'])),
    accepted('down', 'delta: a trailing field that says what its absence would', array([...delta, uint(0)])),
    accepted('down', 'delta: both trailing fields say so', array([...delta, uint(0), nil])),
    accepted('down', 'delta: catch-up, then nil', array([...delta, uint(1), nil])),
    accepted('down', 'command: nil at the end', array([uint(21), uint(7), str('pin'), uint(40), nil])),
  ];
}

/** Later versions of the protocol may add fields to hello, and a hub passes over what it does not know. */
function laterHellos(): AcceptedFrame[] {
  const [, items] = FRAMES['hello']!;
  const hello = (name: string, ...extra: readonly string[]): AcceptedFrame =>
    accepted('up', `hello with ${name}`, array([...items, ...extra]));
  return [
    hello('a field of a later version', uint(7)),
    hello('a field of a later version, which is nil', nil),
    hello(
      'four fields of a later version, an array among them',
      str('x'),
      array([uint(1), nil]),
      bool(true),
      nil,
    ),
    // The message itself is the fifth.
    hello('a field of a later version, four arrays deep', `${'91'.repeat(4)}c0`),
    hello('fields of a later version with bytes and a large integer', bin('00ff'), uint64(2n ** 64n - 1n)),
  ];
}
