/** Samples of agents: what a hub makes of them, and what a device makes of a hub's announcements and answers. */
import { FeedbackExchange } from '@freshet/edge-agent/core/feedback-exchange';
import { downstreamCodec, upstreamCodec } from '@freshet/protocol/codec';
import {
  formatOfMessage,
  readWireSample,
  samplesMessage,
  type WireSample,
  wireSampleOf,
} from '@freshet/protocol/feedback';
import type { DownstreamMessage } from '@freshet/protocol/messages';
import fc from 'fast-check';
import { feedbackOf, range, sampleIdOf, wireDigit } from '../feedback.ts';
import { DIGITS, digit, reading, SENSORS } from '../sample-logs.ts';
import { framesOf } from './codec-targets.ts';
import type { FuzzTarget } from './fuzz-target.ts';

const GENERATED_COUNT = 100;
const FORMATS = [DIGITS, SENSORS];
const BATCH_COUNT = 5;

const batch: fc.Arbitrary<readonly WireSample[]> = fc.array(
  fc
    .nat({ max: 60_000 })
    .chain((n) =>
      fc.constantFrom(wireSampleOf(sampleIdOf(n), digit(n)), wireSampleOf(sampleIdOf(n), reading(n))),
    ),
  { minLength: 1, maxLength: 8 },
);

const answer: fc.Arbitrary<DownstreamMessage> = fc.subarray(range(0, BATCH_COUNT)).map((indices) => ({
  type: 'feedbackResult',
  batch: 1,
  taken: BATCH_COUNT - indices.length,
  duplicates: 0,
  refused: indices.map((index) => ({ index, reason: 'no' })),
  retryMs: null,
}));

export function feedbackTarget(seed: number): FuzzTarget {
  const drawn = { seed, numRuns: GENERATED_COUNT };
  const up = fc.sample(batch, drawn).map((samples) => upstreamCodec.encode(feedbackOf(1, samples)));
  const down = [...FORMATS.map(samplesMessage), ...fc.sample(answer, drawn)].map((message) =>
    downstreamCodec.encode(message),
  );
  return {
    name: 'feedback',
    codes: ['FRAME_MALFORMED', 'FRAME_TOO_LARGE', 'MESSAGE_UNEXPECTED'],
    corpus: [
      ...[...framesOf('up'), ...up].map((bytes) => ({ bytes, decode: decodeAsHub })),
      ...down.map((bytes) => ({ bytes, decode: decodeAsAgent })),
    ],
  };
}

/** Every sample is one of a format, or refused with a reason: reading is total. */
function decodeAsHub(bytes: Uint8Array): Uint8Array {
  const message = upstreamCodec.decode(bytes);
  if (message.type !== 'feedback') return upstreamCodec.encode(message);
  const read = message.samples.flatMap((sample) => FORMATS.map((format) => readWireSample(format, sample)));
  return Buffer.from(JSON.stringify(read.map((each) => ('reason' in each ? each : 'a sample'))));
}

/** @throws MESSAGE_UNEXPECTED for an answer that does not fit the batch */
function decodeAsAgent(bytes: Uint8Array): Uint8Array {
  const message = downstreamCodec.decode(bytes);
  if (message.type === 'samples') return Buffer.from(JSON.stringify(formatOfMessage(message)));
  if (message.type !== 'feedbackResult') return downstreamCodec.encode(message);
  const exchange = new FeedbackExchange();
  exchange.open();
  exchange.batchOf(range(0, BATCH_COUNT).map(wireDigit));
  return Buffer.from(JSON.stringify(exchange.answered(message)));
}
