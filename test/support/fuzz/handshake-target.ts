/** The greeting: what a hub makes of the bytes that an agent introduces itself with. */
import { upstreamCodec } from '@freshet/protocol/codec';
import { asAgentId } from '@freshet/protocol/ids';
import { DOWNSTREAM_FRAME_BYTES_MAX, FRAME_BYTES_FLOOR } from '@freshet/protocol/limits';
import type { MessageNamed, UpstreamMessage } from '@freshet/protocol/messages';
import { greet } from '@freshet/trainer/core/session-greeting';
import fc from 'fast-check';
import { at, hubFacts, LINE_ID, MODEL_DIGEST } from '../hub-facts.ts';
import { framesOf } from './codec-targets.ts';
import type { FuzzTarget } from './fuzz-target.ts';

type Hello = MessageNamed<UpstreamMessage, 'hello'>;

const GENERATED_COUNT = 200;
const FACTS = hubFacts({ oldest: 5, head: 300, modelFrameBytes: FRAME_BYTES_FLOOR + 1, takesSamples: true });

/** Of agents of this hub, which may hold anything; also such as it has no room for, and such as take no large messages. */
const hello: fc.Arbitrary<Hello> = fc.record({
  type: fc.constant('hello' as const),
  protocolMin: fc.nat({ max: 3 }),
  protocolMax: fc.nat({ max: 3 }),
  agentId: fc.constantFrom('edge-7', 'one-too-many').map(asAgentId),
  software: fc.constant('fuzz'),
  modelDigest: fc.constantFrom(null, MODEL_DIGEST),
  lineId: fc.constantFrom(null, LINE_ID),
  head: fc.option(fc.integer({ min: 1, max: 310 }).map(at), { nil: null }),
  served: fc.option(fc.integer({ min: 1, max: 310 }).map(at), { nil: null }),
  pinned: fc.boolean(),
  valueFormats: fc.subarray(['f32', 'f16', 'q8', 'f8']),
  frameBytesMax: fc.constantFrom(FRAME_BYTES_FLOOR, DOWNSTREAM_FRAME_BYTES_MAX),
  partial: fc.option(
    fc.nat({ max: 300 }).map((chunkCount) => ({ ...at(7), chunkCount })),
    { nil: null },
  ),
  feedback: fc.boolean(),
});

export function handshakeTarget(seed: number): FuzzTarget {
  const generated = fc
    .sample(hello, { seed, numRuns: GENERATED_COUNT })
    .map((each) => upstreamCodec.encode(each));
  return {
    name: 'handshake',
    codes: ['FRAME_MALFORMED', 'FRAME_TOO_LARGE'],
    corpus: [...framesOf('up'), ...generated].map((bytes) => ({ bytes, decode: decodeGreeting })),
  };
}

/** The hub's answer, admission or refusal: `greet` is total, so that an error of it would be one too many. */
function decodeGreeting(bytes: Uint8Array): Uint8Array {
  const message = upstreamCodec.decode(bytes);
  if (message.type !== 'hello') return upstreamCodec.encode(message);
  const { state, effects } = greet(message, FACTS);
  const answers = effects.map((effect) => (effect.type === 'close' ? effect.error.code : effect.type));
  return Buffer.from(JSON.stringify([state, answers]));
}
