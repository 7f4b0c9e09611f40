/** Samples as devices queue and send them: of `DIGITS`, told apart by their number. */
import type { FeedbackTable, NamedSample } from '@freshet/edge-agent/store/feedback-table';
import { type WireSample, wireSampleOf } from '@freshet/protocol/feedback';
import { asSampleId, type SampleId } from '@freshet/protocol/ids';
import type { MessageNamed, UpstreamMessage } from '@freshet/protocol/messages';
import type { LearnerSampleLog } from '../../trainer/history/sample-log/learner-sample-log.ts';
import { DIGITS, digit } from './sample-logs.ts';

export function sampleIdOf(n: number): SampleId {
  return asSampleId(n.toString(16).padStart(32, '0'));
}

export function wireDigit(n: number): WireSample {
  return wireSampleOf(sampleIdOf(n), digit(n));
}

export function namedDigit(n: number): NamedSample {
  return { name: `sample ${n}`, wire: wireDigit(n) };
}

/** The numbers from `first` to before `end`. */
export function range(first: number, end: number): number[] {
  return Array.from({ length: end - first }, (_, i) => first + i);
}

export function feedbackOf(
  batch: number,
  samples: readonly WireSample[],
): MessageNamed<UpstreamMessage, 'feedback'> {
  return { type: 'feedback', batch, samples };
}

/** Queues the samples `numbers`, once it is known what samples look like. */
export function queueDigits(queue: FeedbackTable, numbers: readonly number[]): void {
  queue.adoptFormat(DIGITS);
  queue.add(numbers.map(namedDigit));
}

/** The number of a sample that was read from a row or a message. */
export function numberOf(input: ArrayLike<number>): number {
  return input[0]! + 256 * input[1]!;
}

/** The numbers of all samples in `log` that were sent, in the order in which they arrived. */
export function numbersIn(log: LearnerSampleLog): number[] {
  const samples = log.read([...log.arrivals(0, log.end)]);
  return samples.flatMap((sample) => ('input' in sample ? [numberOf(sample.input)] : []));
}
