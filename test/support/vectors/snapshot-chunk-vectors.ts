/**
 * `snapshot-chunk.json`: pieces of snapshots. What Zstandard makes of a plane may differ from release to release, so that
 * only chunks without a compressed plane are among those that our encoder has to write as they are.
 */
import { bitsOf } from '@freshet/protocol/delta';
import { type ErrorCode, FreshetError } from '@freshet/protocol/errors';
import { decodeSnapshotChunk, encodeSnapshotChunk } from '@freshet/protocol/snapshot-chunk';
import { PROTOCOL_VERSION } from '@freshet/protocol/version';
import { type BytesSpec, bytesOfSpec } from './bytes-spec.ts';
import { SPECIAL_BITS } from './delta-valid.ts';
import { hexOf } from './hex.ts';
import { hexOfBits, type WeightsSpec, weightsOfSpec } from './vector-weights.ts';
import {
  dictionaryFrame,
  earlierFrame,
  endedFrame,
  framed,
  missizedFrame,
  repeatedFrame,
  reservedBitFrame,
  reservedFrame,
  skippableFrame,
  storedFrame,
  streamedFrame,
  uncheckedFrame,
  unfinishedFrame,
} from './zstd-frames.ts';

export interface ChunkVector {
  readonly name: string;
  readonly weights: WeightsSpec;
  readonly chunk: BytesSpec;
}

export interface InvalidChunk {
  readonly name: string;
  /** How many weights the chunk has to hold. */
  readonly count: number;
  readonly chunk: BytesSpec;
  readonly code: ErrorCode;
  /** What our decoder says: not part of the protocol. */
  readonly reason: string;
}

export interface ChunkVectors {
  readonly part: 'snapshot-chunk';
  readonly protocol: number;
  readonly valid: readonly ChunkVector[];
  readonly accepted: readonly ChunkVector[];
  readonly invalid: readonly InvalidChunk[];
}

/** 1, −1, 2 and 0.5: the planes are easy to see. */
const FOUR = hexOfBits([0x3f80_0000, 0xbf80_0000, 0x4000_0000, 0x3f00_0001]);
/** XXH64 of the highest plane of FOUR, the lower four bytes. */
const P3_CHECKSUM = 'c3a6d3f3';
const CHUNK_ELEMENTS = 65_536;

/** A full chunk of ones in `byteCount` bytes, of which 64 are no part of the first block of the lowest plane. */
function onesIn(byteCount: number): BytesSpec {
  const storedBytes = byteCount - 64;
  const lowest = framed(endedFrame('00'.repeat(storedBytes), '00', CHUNK_ELEMENTS - storedBytes));
  // Its length, its header and the block's: 4 + 7 + 3 bytes.
  const [start, end] = [lowest.slice(0, 28), lowest.slice(28 + 2 * storedBytes)];
  const others = ['00', '00', '7f'].map((byte) => framed(repeatedFrame(byte, CHUNK_ELEMENTS)));
  return { prefix: `0f${start}`, repeated: '00', times: storedBytes, suffix: end + others.join('') };
}

export function chunkVectors(): ChunkVectors {
  return {
    part: 'snapshot-chunk',
    protocol: PROTOCOL_VERSION,
    valid: valid(),
    accepted: accepted(),
    invalid: [...wrongSizes(), ...wrongPlanes(), ...wrongFrames()],
  };
}

function valid(): ChunkVector[] {
  const specs: Readonly<Record<string, WeightsSpec>> = {
    'no weights': '',
    'one weight': hexOfBits([0x3f80_0000]),
    'four weights': FOUR,
    'special patterns': hexOfBits(SPECIAL_BITS),
  };
  return Object.entries(specs).map(([name, weights]) => {
    const chunk = encodeSnapshotChunk(weightsOfSpec(weights));
    if (chunk[0] !== 0) throw new TypeError(`"${name}" is compressed`);
    return { name, weights, chunk: hexOf(chunk) };
  });
}

/** The four planes of `weights`: of their patterns rotated left by one, the bytes of one place each, lowest first. */
function planesOf(weights: WeightsSpec): readonly [string, string, string, string] {
  const plane = (p: number): string =>
    hexOf(
      Uint8Array.from(bitsOf(weightsOfSpec(weights)), (bits) => ((bits << 1) | (bits >>> 31)) >>> (8 * p)),
    );
  return [plane(0), plane(1), plane(2), plane(3)];
}

/** As node:zlib of Node 22 (Zstandard 1.5.7, level 1) wrote them: of planes 1 and 3 of 300 weights by formula. */
const COMPRESSED_PLANE_1 =
  '28b52ffd602c00fd0600940a00ddbb9977553311efcdab8866442200debc9a785689674523013412f0ceacdfbd9b79578a684624023513f1' +
  'cfad8be0be9c7a583669472503e114f2d0ae8cbf9d7b59376a482604e215f3d1af8dc09e7c5a38166b492705e3c1f4d2b08e6c9f7d5b3917' +
  '4a2806e4c2f5d3b18f6da07e5c3a184b2907e5c3a1f6d4b2906e4c7f5d3b19f72a08e6c4a2d5b3916f4d805e3c1af82b09e7c5a3d6b49270' +
  '4e2c815f3d1bf9d7b492704e2c1b00200a380d9a06a2c169d0349002a280d3a069201a9c064d0329200a380d9a06a2c169d0349002a280d3' +
  'a069201a9c2eed6402';
const COMPRESSED_PLANE_3 =
  '28b52ffd602c003d020048787a787b79787a797b2000800158000e8001c00108001c0003800310003800060007200070000c000e4000e0' +
  '0018001c8000c0013000380001800360007000028079c0b67204';

function accepted(): ChunkVector[] {
  const [p0, p1, p2, p3] = planesOf(FOUR);
  const three: WeightsSpec = { formula: 'weights', count: 300 };
  const many = planesOf(three);
  const ones = hexOfBits(new Array<number>(4).fill(0x3f80_0000));
  const frame = (byte: string): string => framed(repeatedFrame(byte, CHUNK_ELEMENTS));
  const entries: readonly ChunkVector[] = [
    {
      name: 'the highest plane in a frame',
      weights: FOUR,
      chunk: `08${p0}${p1}${p2}${framed(storedFrame(p3))}`,
    },
    {
      name: 'the lowest plane in a frame',
      weights: FOUR,
      chunk: `01${framed(storedFrame(p0))}${p1}${p2}${p3}`,
    },
    {
      name: 'all planes in frames',
      weights: FOUR,
      chunk: `0f${[p0, p1, p2, p3].map((plane) => framed(storedFrame(plane))).join('')}`,
    },
    {
      name: 'a frame of two blocks that does not name its size, a window of 2^17',
      weights: FOUR,
      chunk: `04${p0}${p1}${framed(streamedFrame([p2.slice(0, 2), p2.slice(2)], 17))}${p3}`,
    },
    {
      name: 'frames of one repeated byte',
      weights: ones,
      chunk: `0f${['00', '00', '00', '7f'].map((byte) => framed(repeatedFrame(byte, 4))).join('')}`,
    },
    {
      name: 'compressed as our encoder does',
      weights: three,
      chunk: `0a${many[0]}${framed(COMPRESSED_PLANE_1)}${many[2]}${framed(COMPRESSED_PLANE_3)}`,
    },
    {
      name: 'a full chunk of ones, as far compressed as it may be',
      weights: { formula: 'ones', count: CHUNK_ELEMENTS },
      chunk: {
        prefix: '0e',
        repeated: '00',
        times: CHUNK_ELEMENTS,
        suffix: frame('00').repeat(2) + frame('7f'),
      },
    },
    {
      name: 'a full chunk of ones, as it is',
      weights: { formula: 'ones', count: CHUNK_ELEMENTS },
      chunk: { prefix: '00', repeated: '0000803f', times: CHUNK_ELEMENTS, suffix: '' },
    },
    {
      name: 'a full chunk of ones in 4,096 bytes: 64 times as many are the most',
      weights: { formula: 'ones', count: CHUNK_ELEMENTS },
      chunk: onesIn(4096),
    },
    {
      name: 'a frame with its checksum',
      weights: FOUR,
      chunk: `08${p0}${p1}${p2}${framed(`${uncheckedFrame(p3)}${P3_CHECKSUM}`)}`,
    },
    {
      name: 'a frame of the dictionary 0, which is none',
      weights: FOUR,
      chunk: `08${p0}${p1}${p2}${framed(dictionaryFrame(p3, 0))}`,
    },
    { name: 'no weights, in frames', weights: '', chunk: `0f${framed(storedFrame('')).repeat(4)}` },
  ];
  for (const { name, weights, chunk } of entries) {
    const expected = bitsOf(weightsOfSpec(weights));
    const bits = bitsOf(decodeSnapshotChunk(bytesOfSpec(chunk), expected.length));
    if (hexOfBits(bits) !== hexOfBits(expected)) throw new TypeError(`"${name}" holds other weights`);
  }
  return entries.slice();
}

function invalid(name: string, count: number, chunk: BytesSpec): InvalidChunk {
  try {
    decodeSnapshotChunk(bytesOfSpec(chunk), count);
  } catch (error) {
    if (!(error instanceof FreshetError)) throw error;
    return { name, count, chunk, code: error.code, reason: error.message };
  }
  throw new TypeError(`"${name}" is not invalid`);
}

function wrongSizes(): InvalidChunk[] {
  const frames = ['00', '00', '00', '7f'].map((byte) => framed(repeatedFrame(byte, CHUNK_ELEMENTS)));
  return [
    invalid('no byte', 4, ''),
    invalid('no byte for no weights', 0, ''),
    ...['10', '1f', '80', 'ff'].map((planeSet) => invalid(`the encoding ${planeSet}`, 4, planeSet + FOUR)),
    invalid('as they are: a byte is missing', 4, `00${FOUR.slice(2)}`),
    invalid('as they are: a byte too many', 4, `00${FOUR}00`),
    invalid('as they are: a weight is missing', 4, `00${FOUR.slice(8)}`),
    invalid('as they are: a weight too many', 4, `00${FOUR}${FOUR.slice(0, 8)}`),
    invalid('as they are: a weight where there is none', 0, `00${FOUR.slice(0, 8)}`),
    // 262,144 bytes of weights are more than 64 times these few.
    invalid('a bomb: a full chunk in frames of one repeated byte', CHUNK_ELEMENTS, `0f${frames.join('')}`),
    invalid('a full chunk in a byte', CHUNK_ELEMENTS, '0f'),
    // 64 · 4,095 bytes are 262,080. Nothing else is wrong with it.
    invalid('a full chunk of ones in 4,095 bytes', CHUNK_ELEMENTS, onesIn(4095)),
  ];
}

function wrongPlanes(): InvalidChunk[] {
  const [p0, p1, p2, p3] = planesOf(FOUR);
  const highest = (frame: string): string => `08${p0}${p1}${p2}${frame}`;
  const good = framed(storedFrame(p3));
  return [
    invalid('the end inside a plane', 4, `08${p0}${p1}${p2.slice(2)}`),
    invalid('the end before a length', 4, `08${p0}${p1}${p2}`),
    invalid('the end inside a length', 4, highest('0d0000')),
    invalid('the end inside a frame', 4, highest(good.slice(0, -2))),
    invalid('a length of 2^32 − 1', 4, highest(`ffffffff${storedFrame(p3)}`)),
    invalid('a byte behind the last plane', 4, highest(`${good}00`)),
    invalid('a frame in the place of a plane as it is', 4, `01${good}${good}${p1}${p2}${p3}`),
  ];
}

function wrongFrames(): InvalidChunk[] {
  const [p0, p1, p2, p3] = planesOf(FOUR);
  const highest = (name: string, frame: string): InvalidChunk =>
    invalid(name, 4, `08${p0}${p1}${p2}${framed(frame)}`);
  const frame = storedFrame(p3);
  return [
    highest('a frame of no bytes', ''),
    highest('a frame that is none', '00'.repeat(12)),
    highest('a frame that is cut off', frame.slice(0, -2)),
    highest('a frame whose last block does not say so', unfinishedFrame(p3)),
    highest('a frame without the checksum that it announces', uncheckedFrame(p3)),
    highest('a frame with a wrong checksum', `${uncheckedFrame(p3)}00000000`),
    highest('a frame of fewer bytes than weights', storedFrame(p3.slice(2))),
    highest('a frame of more bytes than weights', storedFrame(`${p3}00`)),
    highest('a frame of more bytes than it says', missizedFrame(`${p3}00`, 4)),
    highest('a frame of fewer bytes than it says', missizedFrame(p3.slice(2), 4)),
    highest('a bomb: a frame of 131,072 bytes', repeatedFrame('7f', 131_072)),
    highest('a byte behind the frame', `${frame}00`),
    highest('two frames', storedFrame(p3.slice(0, 4)) + storedFrame(p3.slice(4))),
    highest('an empty frame behind the frame', frame + storedFrame('')),
    highest('a frame to be passed over', skippableFrame(p3)),
    highest('a frame to be passed over behind the frame', frame + skippableFrame('00')),
    highest('an empty frame to be passed over behind the frame', frame + skippableFrame('')),
    highest('a frame to be passed over before the frame', skippableFrame('00') + frame),
    highest('an empty frame before the frame', storedFrame('') + frame),
    highest('a frame that needs a dictionary', dictionaryFrame(p3, 7)),
    highest('a frame with the reserved bit of its header', reservedBitFrame(p3)),
    highest('a frame of an earlier format', earlierFrame(p3)),
    invalid(
      'frames to be passed over, where no bytes are due',
      0,
      `0f${framed(skippableFrame('00')).repeat(4)}`,
    ),
    highest('a block of the type that has no meaning', reservedFrame(p3)),
    highest('a frame that asks for a window of 2^18', streamedFrame([p3], 18)),
    highest('a frame that asks for a window of 2^41', streamedFrame([p3], 41)),
  ];
}
