/** The codecs of both directions. */
import { strict as assert } from 'node:assert';
import { type Codec, downstreamCodec, upstreamCodec } from '@freshet/protocol/codec';
import fc from 'fast-check';
import { downstreamMessage, upstreamMessage } from '../messages.ts';
import { bytesOfSpec } from '../vectors/bytes-spec.ts';
import { frozenVectors } from '../vectors/frozen-vectors.ts';
import type { Direction } from '../vectors/message-vector.ts';
import type { FuzzTarget } from './fuzz-target.ts';

const GENERATED_COUNT = 300;

/** The frames of the vectors that decode. */
export function framesOf(direction: Direction): Uint8Array[] {
  const { valid, accepted } = frozenVectors('messages.json');
  return [...valid, ...accepted]
    .filter((vector) => vector.direction === direction)
    .map(({ frame }) => bytesOfSpec(frame));
}

export function upstreamTarget(seed: number): FuzzTarget {
  const generated = fc.sample(upstreamMessage, { seed, numRuns: GENERATED_COUNT });
  return codecTarget('up', upstreamCodec, generated);
}

export function downstreamTarget(seed: number): FuzzTarget {
  const generated = fc.sample(downstreamMessage, { seed, numRuns: GENERATED_COUNT });
  return codecTarget('down', downstreamCodec, generated);
}

function codecTarget<Message>(
  direction: Direction,
  codec: Codec<Message>,
  generated: readonly Message[],
): FuzzTarget {
  const decode = (bytes: Uint8Array): Uint8Array => {
    const frame = codec.encode(codec.decode(bytes));
    // What was taken is a message, whatever way it was written: it survives another journey.
    assert.deepEqual(codec.encode(codec.decode(frame)), frame);
    return frame;
  };
  const frames = [...framesOf(direction), ...generated.map((message) => codec.encode(message))];
  return {
    name: direction,
    codes: ['FRAME_MALFORMED', 'FRAME_TOO_LARGE'],
    corpus: frames.map((bytes) => ({ bytes, decode })),
  };
}
