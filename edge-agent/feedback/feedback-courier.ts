/**
 * Brings the samples of the queue to the hub, one batch at a time, for as long as there are any and the hub takes them. A
 * sample leaves the queue only on the hub's answer; whatever breaks before, it is sent again under the same id.
 */
import type { WireSample } from '@freshet/protocol/feedback';
import { FEEDBACK_SAMPLES_MAX } from '@freshet/protocol/limits';
import type { SampleFormat } from '@freshet/protocol/sample-format';
import type { Logger } from 'pino';
import { backoffDelayMs } from '../core/backoff.ts';
import type { FeedbackAnswer } from '../core/feedback-exchange.ts';
import type { FeedbackTable } from '../store/feedback-table.ts';

/** The part of a session that the courier works with. */
export interface FeedbackSession {
  readonly takesSamples: boolean;
  sendSamples(samples: readonly WireSample[]): void;
}

export interface FeedbackCourierOptions {
  readonly queue: FeedbackTable;
  /** The session with the hub; null while there is none. */
  readonly session: () => FeedbackSession | null;
  /** In [0, 1). */
  readonly random: () => number;
  readonly log: Logger;
  /** After every answer. */
  readonly onAnswered: (answer: FeedbackAnswer) => void;
}

/** So that on a thin link acknowledgements and heartbeats pass between batches. A larger sample travels alone. */
const BATCH_BYTES_MAX = 64 * 1024;

/** Longest pause of its own accord between two offers that the hub has no room for. */
const PAUSE_MS_MAX = 60_000;

export class FeedbackCourier {
  readonly #options: FeedbackCourierOptions;
  /** Sent in the present session and not answered. */
  #underWay: readonly WireSample[] = [];
  #pause: NodeJS.Timeout | null = null;
  /** Batches in a row that the hub had no room for. */
  #deferred = 0;

  constructor(options: FeedbackCourierOptions) {
    this.#options = options;
  }

  /** A session has begun to take samples of `format`. What the one before has not answered is sent again. */
  begin(format: SampleFormat): void {
    const { queue, log } = this.#options;
    const refused = queue.adoptFormat(format);
    if (refused > 0)
      log.info({ refused }, 'the hub takes other samples now: some that were queued are refused');
    this.#endPause();
    this.wake();
  }

  /** There may be something to send. */
  wake(): void {
    if (this.#pause !== null) return;
    const session = this.#options.session();
    if (session?.takesSamples !== true) return;
    const batch = this.#options.queue.oldest(FEEDBACK_SAMPLES_MAX, BATCH_BYTES_MAX);
    if (batch.length === 0) return;
    this.#underWay = batch;
    session.sendSamples(batch);
  }

  /** What has become of the batch under way. @throws STORE_WRITE_FAILED */
  answered(answer: FeedbackAnswer): void {
    if (answer.kind === 'later') this.#pauseFor(answer.retryMs);
    else this.#settle(answer);
    this.#options.onAnswered(answer);
    this.wake();
  }

  /** Sends nothing any more. */
  close(): void {
    this.#endPause();
  }

  #settle(answer: Extract<FeedbackAnswer, { kind: 'settled' }>): void {
    const { queue, log } = this.#options;
    queue.settle(this.#underWay, answer);
    this.#deferred = 0;
    const { refused } = answer;
    if (refused.length > 0) {
      log.info({ refused: refused.length, first: refused[0]?.reason }, 'the hub refused samples');
    }
  }

  /** Longer each time, so that a fleet does not come back to a full hub all at once. */
  #pauseFor(retryMs: number): void {
    this.#deferred++;
    const limits = { delayMsMin: retryMs, delayMsMax: Math.max(retryMs, PAUSE_MS_MAX) };
    this.#pause = setTimeout(
      () => {
        this.#pause = null;
        this.wake();
      },
      backoffDelayMs(this.#deferred, this.#options.random, limits),
    );
  }

  #endPause(): void {
    if (this.#pause !== null) clearTimeout(this.#pause);
    this.#pause = null;
  }
}
