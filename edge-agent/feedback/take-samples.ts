/** A request with labelled samples: from its bytes into the queue. */
import { hash, randomBytes } from 'node:crypto';
import { FreshetError } from '@freshet/protocol/errors';
import { tooLargeToSend, wireSampleOf } from '@freshet/protocol/feedback';
import { asSampleId, type SampleId } from '@freshet/protocol/ids';
import {
  type RefusedSample,
  SAMPLES_PER_REQUEST_MAX,
  type SamplesAnswer,
  type SamplesRefusal,
} from '@freshet/protocol/local/samples-api';
import { type BodyType, readSamples } from '@freshet/protocol/local/samples-request';
import type { FeedbackTable } from '../store/feedback-table.ts';

export type TakeOutcome =
  | { readonly kind: 'taken'; readonly answer: SamplesAnswer }
  | { readonly kind: 'refused'; readonly refusal: SamplesRefusal }
  /** There is no room now. */
  | { readonly kind: 'full'; readonly refusal: SamplesRefusal }
  /** No hub has said yet what a sample looks like. */
  | { readonly kind: 'unready'; readonly refusal: SamplesRefusal };

const ID_BYTES = 16;

/**
 * Takes all samples of `body` or none; what is taken is on disk when this returns.
 * @throws INPUT_INVALID for a body that is no list of samples, and where no sample of this model can be sent;
 *   STORE_WRITE_FAILED, STORE_CORRUPT
 */
export function takeSamples(queue: FeedbackTable, body: Uint8Array, type: BodyType): TakeOutcome {
  const format = queue.format();
  if (format === null) {
    const error =
      'this device does not know yet what a sample looks like: it has to reach its hub once, where a learner runs';
    return { kind: 'unready', refusal: { error, code: 'NOT_READY' } };
  }
  const tooLarge = tooLargeToSend(format);
  if (tooLarge !== null) throw new FreshetError('INPUT_INVALID', tooLarge);
  const countMax = Math.min(SAMPLES_PER_REQUEST_MAX, queue.limits().samplesMax);
  const request = readSamples(body, type, format, countMax, 'allowed');
  if (request.kind === 'refused') return { kind: 'refused', refusal: refusalOf(request.refused) };
  const outcome = queue.add(
    request.samples.map((sample) => ({ name: sample.id, wire: wireSampleOf(sampleIdOf(sample.id), sample) })),
  );
  if (outcome.kind === 'full') {
    const error = `${outcome.waiting} samples wait to be sent: none of these was taken, send them again later`;
    return { kind: 'full', refusal: { error, code: 'NOT_READY' } };
  }
  const { taken, duplicates, waiting } = outcome;
  return { kind: 'taken', answer: { taken, duplicates, waiting } };
}

/** 16 bytes whatever the client calls a sample, the same for the same name; drawn where it has no name. */
function sampleIdOf(name: string | null): SampleId {
  const bytes = name === null ? randomBytes(ID_BYTES) : hash('sha256', name, 'buffer').subarray(0, ID_BYTES);
  return asSampleId(bytes.toString('hex'));
}

/** The first in words; the others are in the list. */
function refusalOf(refused: readonly RefusedSample[]): SamplesRefusal {
  const [{ index, field, reason }] = refused as readonly [RefusedSample, ...RefusedSample[]];
  const others = refused.length === 1 ? '' : `, and ${refused.length - 1} more samples are refused`;
  const error = `sample ${index}: ${field} ${reason}${others}; none was taken`;
  return { error, code: 'INPUT_INVALID', refused };
}
