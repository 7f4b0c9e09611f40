/** Frames of plain MessagePack that are no message: unknown numbers, fields too few, too many, wrong, out of bounds. */
import { FRAME_BYTES_FLOOR } from '@freshet/protocol/limits';
import { LINE_ID, MODEL_DIGEST, ROOT, SAMPLE_ID, SIGNATURE } from './message-valid.ts';
import { type InvalidFrame, invalidFrame as invalid } from './message-vector.ts';
import { array, arrayOf, bin, bool, int64, nil, str, uint, uint64 } from './msgpack-bytes.ts';
import { FRAMES, head, wrongField as wrong } from './true-frames.ts';

export function invalidFields(): InvalidFrame[] {
  return [
    ...noMessage(),
    ...counts(),
    ...wrongFields(),
    ...booleans(),
    ...edges(),
    ...inLists(),
    ...tooLong(),
  ];
}

function noMessage(): InvalidFrame[] {
  const [, ack] = FRAMES['ack']!;
  const [, error] = FRAMES['error']!;
  return [
    invalid('up', 'nil', nil),
    invalid('up', 'an integer', uint(1)),
    invalid('up', 'text', str('hello')),
    invalid('up', 'an empty array', array([])),
    invalid('up', 'a number as text', array(ack.with(0, str('2')))),
    invalid('up', 'nil as a number', array(ack.with(0, nil))),
    ...[0, 7, 15, 16, 255].map((number) =>
      invalid('up', `number ${number}`, array(ack.with(0, uint(number)))),
    ),
    ...[0, 2, 15, 25, 2 ** 32].map((number) =>
      invalid('down', `number ${number}`, array(error.with(0, uint(number)))),
    ),
    invalid('up', 'error, which only hubs send', array(error)),
    invalid('down', 'ack, which only agents send', array(ack)),
  ];
}

function counts(): InvalidFrame[] {
  return Object.entries(FRAMES).flatMap(([type, [direction, items]]) => {
    // Two fields of delta may be absent, and one of command and hello.
    const required = { delta: 6, command: 4, hello: 13 }[type] ?? items.length;
    const tooFew = invalid(direction, `${type}: a field too few`, array(items.slice(0, required - 1)));
    // Later versions may add fields to hello.
    if (type === 'hello') return [tooFew];
    return [tooFew, invalid(direction, `${type}: a field too many`, array([...items, nil]))];
  });
}

/** In the place of each field something that no field of its kind is. */
function wrongFields(): InvalidFrame[] {
  // Nothing in a message is a list of lists of nothing.
  const nothing = array([array([])]);
  return Object.entries(FRAMES).flatMap(([type, [, , names]]) =>
    names.map((field) => wrong(type, field, 'an array in an array', nothing)),
  );
}

/** What some languages take for 0 and 1. */
function booleans(): InvalidFrame[] {
  const [, ack] = FRAMES['ack']!;
  const [yes, no] = [bool(true), bool(false)];
  return [
    invalid('up', 'a boolean as a number', array(ack.with(0, yes))),
    wrong('hello', 'protocolMin', 'true', yes),
    wrong('hello', 'head', 'true as its version', array([yes, bin(ROOT)])),
    wrong('heartbeat', 'bytesReceived', 'false', no),
    wrong('commandResult', 'id', 'true', yes),
    wrong('snapshotChunk', 'index', 'false', no),
    wrong('delta', 'modelTag', 'true', yes),
    wrong('delta', 'trafficClass', 'false', no),
    wrong('command', 'id', 'true', yes),
  ];
}

/** Values of the right kind, one beyond what is allowed. */
function edges(): InvalidFrame[] {
  const text = (byteCount: number): string => str('a'.repeat(byteCount));
  return [
    wrong('hello', 'protocolMin', '2^32', uint(2 ** 32)),
    wrong('hello', 'agentId', 'no letter', str('')),
    wrong('hello', 'agentId', '129 letters', text(129)),
    wrong('hello', 'agentId', 'a dot at the beginning', str('.a')),
    wrong('hello', 'agentId', 'a slash', str('a/b')),
    wrong('hello', 'agentId', 'a line feed at the end', str('a\n')),
    wrong('hello', 'software', '513 bytes', text(513)),
    wrong('hello', 'software', '257 letters of two bytes each', str('ä'.repeat(257))),
    wrong('hello', 'modelDigest', '31 bytes', bin(MODEL_DIGEST.slice(2))),
    wrong('hello', 'lineId', '17 bytes', bin(`${LINE_ID}00`)),
    wrong('hello', 'head', 'version 0', array([uint(0), bin(ROOT)])),
    wrong('hello', 'head', 'version 2^53', array([uint64(2n ** 53n), bin(ROOT)])),
    wrong('hello', 'head', 'version −1 in 64 bits', array([int64(2n ** 64n - 1n), bin(ROOT)])),
    wrong('hello', 'head', 'without a root', array([uint(42)])),
    wrong('hello', 'head', 'with something behind the root', array([uint(42), bin(ROOT), nil])),
    wrong('hello', 'head', 'a signed proof in the place of a root', array([uint(42), bin(ROOT + SIGNATURE)])),
    wrong('hello', 'pinned', '0', uint(0)),
    wrong('hello', 'frameBytesMax', 'below the floor', uint(FRAME_BYTES_FLOOR - 1)),
    wrong('hello', 'frameBytesMax', '2^32', uint(2 ** 32)),
    wrong('hello', 'partial', 'without the number of chunks', head),
    wrong('nack', 'rejected', 'nil', nil),
    wrong('nack', 'reason', '4,097 bytes', text(4097)),
    wrong('heartbeat', 'bytesReceived', '2^53', uint64(2n ** 53n)),
    wrong('heartbeat', 'bytesReceived', '2^64 − 1', uint64(2n ** 64n - 1n)),
    wrong('welcome', 'heartbeatMs', 'more than an hour', uint(3_600_001)),
    wrong('welcome', 'heartbeatMs', '9 ms', uint(9)),
    wrong('welcome', 'head', 'a proof of 64 bytes', array([uint(42), bin(SIGNATURE)])),
    wrong('welcome', 'head', 'a proof of 31 bytes', array([uint(42), bin(ROOT.slice(2))])),
    wrong('snapshotBegin', 'proof', '97 bytes', bin(`${ROOT}${SIGNATURE}00`)),
    wrong('snapshotChunk', 'bytes', 'text', str('a')),
    wrong('delta', 'modelTag', '128', uint(128)),
    wrong('delta', 'base', '0', uint(0)),
    wrong('delta', 'span', '0', uint(0)),
    wrong('delta', 'trafficClass', '2', uint(2)),
    wrong('delta', 'trafficClass', 'nil', nil),
    wrong('delta', 'trafficClass', 'the word', str('live')),
    wrong('command', 'action', 'another word', str('stop')),
    wrong('command', 'action', 'no word', str('')),
    wrong('command', 'version', '0', uint(0)),
    wrong('command', 'signature', '63 bytes', bin(SIGNATURE.slice(2))),
    wrong('hello', 'feedback', '1', uint(1)),
    wrong('hello', 'feedback', 'nil', nil),
    wrong('feedback', 'batch', '2^32', uint(2 ** 32)),
    wrong('samples', 'inputType', '2', uint(2)),
    wrong('samples', 'targetKind', '2', uint(2)),
    wrong('samples', 'targetCount', '0', uint(0)),
    wrong('feedbackResult', 'retryMs', '9 ms', uint(9)),
    wrong('feedbackResult', 'retryMs', 'more than an hour', uint(3_600_001)),
  ];
}

function inLists(): InvalidFrame[] {
  const tensors = (what: string, name: string, shape: string): InvalidFrame =>
    wrong('model', 'tensors', what, array([array([name, shape, uint(0)])]));
  const sample = (what: string, ...items: readonly string[]): InvalidFrame =>
    wrong('feedback', 'samples', what, array([array(items)]));
  const ones = (count: number): string => array(new Array<string>(count).fill(uint(1)));
  return [
    wrong('hello', 'valueFormats', '33 of them', array(new Array<string>(33).fill(str('f32')))),
    wrong('hello', 'valueFormats', 'a number among them', array([str('f32'), uint(1)])),
    wrong('welcome', 'rotations', 'without a signature', array([array([bin(ROOT)])])),
    wrong('feedback', 'samples', 'none', array([])),
    sample('an id of 15 bytes', bin(SAMPLE_ID.slice(2)), bin('00'), uint(7)),
    sample('an id as text', str('a'), bin('00'), uint(7)),
    sample('an input that is a list', bin(SAMPLE_ID), array([uint(0)]), uint(7)),
    sample('a target that is text', bin(SAMPLE_ID), bin('00'), str('7')),
    sample('a target that is nil', bin(SAMPLE_ID), bin('00'), nil),
    sample('a class of 2^32', bin(SAMPLE_ID), bin('00'), uint(2 ** 32)),
    wrong('feedback', 'samples', 'one without a target', array([array([bin(SAMPLE_ID), bin('00')])])),
    wrong('samples', 'inputShape', 'a dimension of 0', array([uint(28), uint(0)])),
    wrong('samples', 'inputShape', 'nine dimensions', ones(9)),
    wrong('feedbackResult', 'refused', 'without a reason', array([array([uint(0)])])),
    wrong(
      'feedbackResult',
      'refused',
      'a reason of 513 bytes',
      array([array([uint(0), str('a'.repeat(513))])]),
    ),
    tensors('nine dimensions', str('t'), ones(9)),
    tensors('a dimension of 2^32', str('t'), array([uint(2 ** 32)])),
    tensors('a name of 513 bytes', str('t'.repeat(513)), array([])),
    tensors('deeper than a shape', str('t'), array([array([])])),
    tensors('much deeper than a shape', str('t'), array([array([array([])])])),
  ];
}

/** Lists and bytes one longer than they may be. */
function tooLong(): InvalidFrame[] {
  const long = (
    type: string,
    field: string,
    prefix: string,
    repeated: string,
    times: number,
  ): InvalidFrame => {
    const [direction, items, names] = FRAMES[type]!;
    const at = names.indexOf(field) + 1;
    return invalid(direction, `${type}.${field}: ${times} are too many`, {
      prefix: arrayOf(items.length) + items.slice(0, at).join('') + prefix,
      repeated,
      times,
      suffix: items.slice(at + 1).join(''),
    });
  };
  const bytes = (type: string, field: string, times: number): InvalidFrame =>
    long(type, field, `c6${times.toString(16).padStart(8, '0')}`, '00', times);
  return [
    long('welcome', 'rotations', arrayOf(65), array([bin(ROOT), bin(SIGNATURE)]), 65),
    long('model', 'tensors', arrayOf(16_385), array([str(''), array([]), uint(0)]), 16_385),
    long('feedback', 'samples', arrayOf(257), array([bin(SAMPLE_ID), bin(''), uint(0)]), 257),
    long('feedbackResult', 'refused', arrayOf(257), array([uint(0), str('')]), 257),
    bytes('model', 'graph', 2 ** 24 + 1),
    bytes('snapshotChunk', 'bytes', 262_146),
    bytes('delta', 'payload', 33_553_409),
  ];
}
