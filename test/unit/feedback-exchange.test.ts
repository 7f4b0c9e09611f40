/** One batch at a time, and answers that must fit it: samples are deleted on the strength of them. */
import { strict as assert } from 'node:assert';
import { describe, it } from 'node:test';
import { FeedbackExchange } from '@freshet/edge-agent/core/feedback-exchange';
import type { DownstreamMessage, MessageNamed } from '@freshet/protocol/messages';
import { range, wireDigit } from '../support/feedback.ts';

type Result = MessageNamed<DownstreamMessage, 'feedbackResult'>;

const result = (changes: Partial<Result>): Result => ({
  type: 'feedbackResult',
  batch: 1,
  taken: 0,
  duplicates: 0,
  refused: [],
  retryMs: null,
  ...changes,
});

/** A batch of three is under way. */
function sending(): FeedbackExchange {
  const exchange = new FeedbackExchange();
  exchange.open();
  exchange.batchOf(range(0, 3).map(wireDigit));
  return exchange;
}

it('is open from the announcement on, but for while a batch is under way', () => {
  const exchange = new FeedbackExchange();
  assert.equal(exchange.isOpen, false);
  exchange.open();
  assert.equal(exchange.isOpen, true);
  assert.equal(exchange.batchOf([wireDigit(1)]).batch, 1);
  assert.equal(exchange.isOpen, false);
  exchange.answered(result({ taken: 1 }));
  assert.equal(exchange.isOpen, true);
  assert.equal(exchange.batchOf([wireDigit(2)]).batch, 2);
});

it('reads answers', () => {
  const refused = [
    { index: 0, reason: 'a' },
    { index: 2, reason: 'b' },
  ];
  assert.deepEqual(sending().answered(result({ duplicates: 1, refused })), {
    kind: 'settled',
    taken: 0,
    duplicates: 1,
    refused,
  });
  assert.deepEqual(sending().answered(result({ retryMs: 50 })), { kind: 'later', retryMs: 50 });
});

describe('does not believe', () => {
  const at = (...indices: number[]) => indices.map((index) => ({ index, reason: '' }));
  const lies: Readonly<Record<string, Partial<Result>>> = {
    'an answer to another batch': { batch: 2, taken: 3 },
    'fewer samples than were sent': { taken: 2 },
    'more samples than were sent': { taken: 3, duplicates: 1 },
    'samples that are settled and to be sent again': { taken: 3, retryMs: 50 },
    'a place behind the last': { taken: 2, refused: at(3) },
    'a place twice': { taken: 1, refused: at(1, 1) },
    'places out of order': { taken: 1, refused: at(2, 1) },
  };
  for (const [what, changes] of Object.entries(lies)) {
    it(what, () => assert.throws(() => sending().answered(result(changes)), { code: 'MESSAGE_UNEXPECTED' }));
  }

  it('an answer twice', () => {
    const exchange = sending();
    exchange.answered(result({ taken: 3 }));
    assert.throws(() => exchange.answered(result({ taken: 3 })), { code: 'MESSAGE_UNEXPECTED' });
  });

  it('a second announcement', () => {
    assert.throws(() => sending().open(), { code: 'MESSAGE_UNEXPECTED' });
  });
});
