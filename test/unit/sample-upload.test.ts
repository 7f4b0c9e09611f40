/** Sending samples in batches: what is sent when, how the sender waits, and what it says when it ends early. */
import { strict as assert } from 'node:assert';
import { describe, it } from 'node:test';
import { FreshetError } from '@freshet/protocol/errors';
import type { JsonLine } from '@freshet/protocol/local/json-lines';
import { pushBackDelayMs, type UploadOptions, uploadSamples } from '@freshet/protocol/local/sample-upload';
import fc from 'fast-check';
import { freshetError } from '../support/serving.ts';
import '../support/seed.ts';

async function* lines(count: number, byteCount = 10): AsyncGenerator<JsonLine> {
  for (let number = 1; number <= count; number++) {
    yield { number, value: { n: number }, byteCount, endBytes: number * (byteCount + 1) };
  }
}

const notReady = () => new FreshetError('NOT_READY', '9 samples wait', { details: { retryAfterSeconds: 2 } });

/** A trainer that answers each post with the next of `answers`, and takes everything after these. */
function trainer(answers: readonly (() => Error)[] = []) {
  const batches: number[][] = [];
  const slept: number[] = [];
  const progress: number[] = [];
  let nowMs = 1000;
  let posts = 0;
  const options: UploadOptions = {
    name: 'x.jsonl',
    batchCount: 3,
    fromLine: 1,
    waitMs: 60_000,
    post: async (samples) => {
      const answer = answers[posts++];
      if (answer !== undefined) throw answer();
      batches.push(samples.map((sample) => (sample as { n: number }).n));
      return { taken: samples.length - 1, duplicates: 1, waiting: 10 * batches.length };
    },
    clock: () => nowMs,
    sleep: async (ms) => {
      slept.push(ms);
      nowMs += ms;
    },
    random: () => 0.5,
    onProgress: (bytes) => progress.push(bytes),
  };
  return { options, batches, slept, progress };
}

describe('samples are sent', () => {
  it('in batches, and counted', async () => {
    const { options, batches, progress } = trainer();
    const result = await uploadSamples(lines(7), options);
    assert.deepEqual(batches, [[1, 2, 3], [4, 5, 6], [7]]);
    assert.deepEqual(result, { taken: 4, duplicates: 3, waiting: 30, lines: 7 });
    assert.deepEqual(progress, [33, 66, 77]);
  });

  it('from a line on; none, where there is none', async () => {
    const { options, batches } = trainer();
    assert.equal((await uploadSamples(lines(7), { ...options, fromLine: 6 })).lines, 2);
    assert.deepEqual(batches, [[6, 7]]);
    assert.deepEqual(await uploadSamples(lines(0), options), {
      taken: 0,
      duplicates: 0,
      waiting: 0,
      lines: 0,
    });
  });

  it('as soon as a batch is full: the next line may be long in coming', async () => {
    const { options, batches } = trainer();
    async function* slow(): AsyncGenerator<JsonLine> {
      yield* lines(3);
      assert.deepEqual(batches, [[1, 2, 3]]);
    }
    await uploadSamples(slow(), options);
  });

  it('in smaller batches where they are large', async () => {
    const { options, batches } = trainer();
    await uploadSamples(lines(4, 2_000_000), options);
    assert.deepEqual(batches, [
      [1, 2],
      [3, 4],
    ]);
    await uploadSamples(lines(2, 7_000_000), options);
    assert.deepEqual(batches.slice(2), [[1], [2]]);
  });
});

describe('a trainer that cannot keep up', () => {
  it('is asked again later and later, and from the start with the next batch', async () => {
    const { options, batches, slept } = trainer([notReady, notReady, notReady]);
    await uploadSamples(lines(6), options);
    assert.deepEqual(batches, [
      [1, 2, 3],
      [4, 5, 6],
    ]);
    // Retry-After, and half of what comes on top: twice, four times, at most 10 s.
    assert.deepEqual(slept, [3000, 5000, 6000]);
  });

  it('that takes nothing for too long is given up', async () => {
    const { options, batches, slept } = trainer([() => notReady()]);
    const endless = { ...options, post: async () => Promise.reject(notReady()) };
    const says = /^9 samples wait; no line was taken$/;
    await assert.rejects(uploadSamples(lines(6), endless), freshetError('NOT_READY', says));
    const total = slept.reduce((sum, ms) => sum + ms, 0);
    assert.ok(total <= 60_000 && total > 50_000, `${total}`);
    slept.length = 0;
    await assert.rejects(uploadSamples(lines(6), { ...endless, waitMs: 0 }), freshetError('NOT_READY', says));
    assert.deepEqual([slept, batches], [[], []]);
  });

  it('is never asked sooner than it says, nor much later than 10 s', () => {
    const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 2000 }),
        fc.integer({ min: 0, max: 100_000 }),
        random,
        (n, ms, r) => {
          const delayMs = pushBackDelayMs(n, ms, () => r);
          assert.ok(delayMs >= ms && delayMs <= Math.max(ms, 10_000), `${delayMs}`);
        },
      ),
    );
  });
});

describe('what ends it', () => {
  const refusal = (refused: unknown) => () =>
    new FreshetError('INPUT_INVALID', 'sample 1: …', { details: { answer: { refused } } });
  const good = { index: 1, field: 'label', reason: 'is 10; it has to be …' };

  it('says which line, and where to go on', async () => {
    const { options } = trainer([refusal([good])]);
    await assert.rejects(
      uploadSamples(lines(7), options),
      freshetError('INPUT_INVALID', /^x\.jsonl, line 2: label is 10; it has to be …; no line was taken$/),
    );
    const later = trainer();
    const post = async (samples: readonly unknown[]) => {
      if (later.batches.length === 1) throw refusal([good, { ...good, index: 2 }])();
      return later.options.post(samples);
    };
    const says =
      /^x\.jsonl, line 5: label .* \(and 1 more of the same batch\); the lines before 4 were taken: go on with --from-line 4$/;
    await assert.rejects(
      uploadSamples(lines(7), { ...later.options, post }),
      freshetError('INPUT_INVALID', says),
    );
  });

  it('is told as it came where it is not about samples', async () => {
    for (const refused of [undefined, 'no', [], [{ index: 99, field: 'a', reason: 'b' }]]) {
      const { options } = trainer([refusal(refused)]);
      await assert.rejects(
        uploadSamples(lines(2), options),
        freshetError('INPUT_INVALID', /^sample 1: …; no line/),
      );
    }
    const bug = new TypeError('a bug');
    await assert.rejects(uploadSamples(lines(2), trainer([() => bug]).options), bug);
  });

  it('may be a lost answer, after which nobody knows', async () => {
    const { options } = trainer([() => new FreshetError('UNREACHABLE', 'nobody answers')]);
    const says = /^nobody answers; no line was taken \(one with an "id" is never taken twice\)$/;
    await assert.rejects(uploadSamples(lines(2), options), freshetError('UNREACHABLE', says));
  });

  it('may be the file', async () => {
    async function* broken(): AsyncGenerator<JsonLine> {
      yield* lines(4);
      throw new FreshetError('INPUT_INVALID', 'x.jsonl, line 5 is not JSON');
    }
    const { options, batches } = trainer();
    const says = /line 5 is not JSON; the lines before 4 were taken: go on with --from-line 4/;
    await assert.rejects(uploadSamples(broken(), options), freshetError('INPUT_INVALID', says));
    assert.deepEqual(batches, [[1, 2, 3]]);
  });
});
