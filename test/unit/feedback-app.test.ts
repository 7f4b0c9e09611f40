/** POST /v1/feedback with the real app over a real queue. */
import { strict as assert } from 'node:assert';
import { join } from 'node:path';
import { it, type TestContext } from 'node:test';
import { feedbackApp } from '@freshet/edge-agent/feedback/feedback-app';
import { takeSamples } from '@freshet/edge-agent/feedback/take-samples';
import { WeightStore } from '@freshet/edge-agent/store/weight-store';
import { FEEDBACK_SAMPLE_BYTES_MAX } from '@freshet/protocol/limits';
import {
  FEEDBACK_PATH,
  SAMPLES_BODY_BYTES_MAX,
  type SamplesRefusal,
} from '@freshet/protocol/local/samples-api';
import { Packr } from 'msgpackr';
import { numberOf } from '../support/feedback.ts';
import { DIGITS, digit } from '../support/sample-logs.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const TOKEN = 'a token';

function setUp(test: TestContext, { known = true } = {}) {
  const path = join(temporaryDirectory(test), 'weights.db');
  const store = WeightStore.open(path, { clock: () => 0 });
  test.after(() => store.close());
  const { feedback } = store;
  if (known) feedback.adoptFormat(DIGITS);
  const app = feedbackApp((body, type) => takeSamples(feedback, body, type), TOKEN);
  const post = async (body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) => {
    const response = await app.request(FEEDBACK_PATH, {
      method: 'POST',
      body,
      headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json', ...headers },
    });
    const answer = (await response.json()) as Record<string, unknown>;
    return { status: response.status, retryAfter: response.headers.get('retry-after'), answer };
  };
  const numbers = () => feedback.oldest(1000, 1e9).map(({ input }) => numberOf(input));
  return { feedback, post, numbers };
}

const sampleOf = (n: number, id?: string) => ({ id, input: [...digit(n).input], label: n % 10 });
const bodyOf = (...samples: unknown[]) => JSON.stringify({ samples });

it('queues samples of JSON and of MessagePack, and says how many wait', async (test) => {
  const { post, numbers } = setUp(test);
  const base64 = Buffer.from(digit(2).input as Uint8Array).toString('base64');
  const first = await post(bodyOf(sampleOf(1), { input: base64, label: 2 }));
  assert.deepEqual([first.status, first.answer], [202, { taken: 2, duplicates: 0, waiting: 2 }]);
  const packed = new Packr({ useRecords: false }).pack({ samples: [{ input: digit(3).input, label: 3 }] });
  const second = await post(new Uint8Array(packed), { 'content-type': 'application/msgpack' });
  assert.deepEqual([second.status, second.answer], [202, { taken: 1, duplicates: 0, waiting: 3 }]);
  assert.deepEqual(numbers(), [1, 2, 3]);
});

it('takes an id once, in one request and in several', async (test) => {
  const { post, numbers } = setUp(test);
  const first = await post(bodyOf(sampleOf(1, 'a'), sampleOf(1, 'a'), sampleOf(2, 'b')));
  assert.deepEqual(first.answer, { taken: 2, duplicates: 1, waiting: 2 });
  assert.deepEqual((await post(bodyOf(sampleOf(1, 'a')))).answer, { taken: 0, duplicates: 1, waiting: 2 });
  // Without an id they are different, whatever is in them.
  assert.deepEqual((await post(bodyOf(sampleOf(5), sampleOf(5)))).answer, {
    taken: 2,
    duplicates: 0,
    waiting: 4,
  });
  assert.deepEqual(numbers(), [1, 2, 5, 5]);
});

it('refuses a request with a bad sample as a whole, and names each with field and reason', async (test) => {
  const { post, numbers } = setUp(test);
  const { status, answer } = await post(
    bodyOf(sampleOf(1), { ...sampleOf(2), label: 10 }, { input: [1, 2], label: 3 }),
  );
  assert.equal(status, 400);
  const { error, code, refused } = answer as unknown as SamplesRefusal;
  assert.equal(code, 'INPUT_INVALID');
  assert.match(error, /^sample 1: label is 10; .* and 1 more samples are refused; none was taken$/);
  assert.deepEqual(
    refused?.map(({ index, field }) => [index, field]),
    [
      [1, 'label'],
      [2, 'input'],
    ],
  );
  assert.deepEqual(numbers(), []);
});

it('answers 429 with Retry-After while the queue is full', async (test) => {
  const { feedback, post, numbers } = setUp(test);
  feedback.setLimits({ samplesMax: 2, bytesMax: 1e9 });
  assert.equal((await post(bodyOf(sampleOf(1)))).status, 202);
  const { status, retryAfter, answer } = await post(bodyOf(sampleOf(2), sampleOf(3)));
  assert.deepEqual([status, retryAfter, answer['code']], [429, '1', 'NOT_READY']);
  assert.deepEqual(numbers(), [1]);
});

it('answers 503 before a hub has said what samples look like', async (test) => {
  const { status, retryAfter, answer } = await setUp(test, { known: false }).post(bodyOf(sampleOf(1)));
  assert.deepEqual([status, retryAfter, answer['code']], [503, '1', 'NOT_READY']);
  assert.match(String(answer['error']), /reach its hub once/);
});

it('refuses samples of a model whose samples no message can carry', async (test) => {
  const { feedback, post } = setUp(test);
  feedback.adoptFormat({ ...DIGITS, inputShape: [FEEDBACK_SAMPLE_BYTES_MAX + 1] });
  const { status, answer } = await post(bodyOf(sampleOf(1)));
  assert.equal(status, 400);
  assert.match(String(answer['error']), /a device can send 1047552 at most/);
});

it('refuses what comes without the token, with another type, too large, or as no list of samples', async (test) => {
  const { post, numbers } = setUp(test);
  const body = bodyOf(sampleOf(1));
  assert.equal((await post(body, { authorization: 'Bearer another' })).status, 401);
  assert.equal((await post(body, { 'content-type': 'image/png' })).status, 415);
  assert.equal((await post(' '.repeat(SAMPLES_BODY_BYTES_MAX + 1))).status, 413);
  for (const each of ['', '{', '[]', '{"samples": []}', '{"samples": {}}', bodyOf(null)]) {
    assert.deepEqual([(await post(each)).status, numbers()], [400, []], each);
  }
});
