/**
 * The samples of one session: a batch may be sent once the hub has said what it takes, and the next one once the last is
 * answered. What an answer says is checked against the batch, because samples are deleted on the strength of it.
 */
import { assert } from '@freshet/protocol/assert';
import { FreshetError } from '@freshet/protocol/errors';
import type { WireSample } from '@freshet/protocol/feedback';
import type { DownstreamMessage, MessageNamed, UpstreamMessage } from '@freshet/protocol/messages';

type FeedbackResult = MessageNamed<DownstreamMessage, 'feedbackResult'>;

export type FeedbackAnswer =
  /** Every sample of the batch is in the hub's log, or refused for good. `refused`: by place in the batch, ascending. */
  | {
      readonly kind: 'settled';
      readonly taken: number;
      readonly duplicates: number;
      readonly refused: readonly RefusedAt[];
    }
  /** None is: they are to be sent again, not sooner than after `retryMs`. */
  | { readonly kind: 'later'; readonly retryMs: number };

export interface RefusedAt {
  readonly index: number;
  readonly reason: string;
}

export class FeedbackExchange {
  #isAnnounced = false;
  #batch = 0;
  /** Samples of the batch under way; null while there is none. */
  #underWay: number | null = null;

  /** Whether a batch may be sent. */
  get isOpen(): boolean {
    return this.#isAnnounced && this.#underWay === null;
  }

  /** The hub has said what it takes. @throws MESSAGE_UNEXPECTED when it has done so before */
  open(): void {
    if (this.#isAnnounced) throw unexpected('the hub said twice what samples look like');
    this.#isAnnounced = true;
  }

  /** The message with the next batch. */
  batchOf(samples: readonly WireSample[]): MessageNamed<UpstreamMessage, 'feedback'> {
    assert(this.isOpen && samples.length > 0, 'a batch is sent when the hub can take one');
    this.#underWay = samples.length;
    return { type: 'feedback', batch: ++this.#batch, samples };
  }

  /** @throws MESSAGE_UNEXPECTED for an answer that does not fit the batch under way */
  answered({ batch, taken, duplicates, refused, retryMs }: FeedbackResult): FeedbackAnswer {
    const count = this.#underWay;
    if (count === null || batch !== this.#batch) {
      throw unexpected(`the hub answered batch ${batch} of samples, which is not under way`);
    }
    const settled = taken + duplicates + refused.length;
    if (settled !== (retryMs === null ? count : 0)) {
      throw unexpected(`the hub settled ${settled} samples of a batch of ${count}`);
    }
    const indices = refused.map(({ index }) => index);
    const isAscending = indices.every((index, i) => index < count && (i === 0 || index > indices[i - 1]!));
    if (!isAscending) throw unexpected('the hub refused samples that are not in the batch, or not in order');
    this.#underWay = null;
    return retryMs === null ? { kind: 'settled', taken, duplicates, refused } : { kind: 'later', retryMs };
  }
}

function unexpected(what: string): FreshetError {
  return new FreshetError('MESSAGE_UNEXPECTED', what);
}
