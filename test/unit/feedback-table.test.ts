/** The queue of samples in a device's store, on a real file. */
import { strict as assert } from 'node:assert';
import { join } from 'node:path';
import { it, type TestContext } from 'node:test';
import {
  FEEDBACK_ROW_BYTES,
  type FeedbackTable,
  REFUSED_KEPT,
} from '@freshet/edge-agent/store/feedback-table';
import { WeightStore } from '@freshet/edge-agent/store/weight-store';
import type { SampleFormat } from '@freshet/protocol/sample-format';
import Database from 'better-sqlite3';
import { namedDigit, numberOf, queueDigits, range, wireDigit } from '../support/feedback.ts';
import { DIGITS, reading, SENSORS } from '../support/sample-logs.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const NOW_MS = 1_700_000_000_000;

function pathFor(test: TestContext): string {
  return join(temporaryDirectory(test), 'weights.db');
}

/** Opens the store at `path`, hands its queue to `use`, and closes it again. */
function withQueue<Result>(path: string, use: (queue: FeedbackTable) => Result): Result {
  const store = WeightStore.open(path, { clock: () => NOW_MS });
  try {
    return use(store.feedback);
  } finally {
    store.close();
  }
}

const numbersOf = (queue: FeedbackTable) => queue.oldest(1000, 1e9).map(({ input }) => numberOf(input));

it('keeps samples over a restart, oldest first, each id once', (test) => {
  const path = pathFor(test);
  withQueue(path, (queue) => {
    assert.equal(queue.format(), null);
    queue.adoptFormat(DIGITS);
    assert.deepEqual(queue.add([3, 1].map(namedDigit)), {
      kind: 'taken',
      taken: 2,
      duplicates: 0,
      waiting: 2,
    });
    assert.deepEqual(queue.add([1, 2, 2].map(namedDigit)), {
      kind: 'taken',
      taken: 1,
      duplicates: 2,
      waiting: 3,
    });
  });
  withQueue(path, (queue) => {
    assert.deepEqual(queue.format(), DIGITS);
    const stored = queue.oldest(10, 1e9).map((wire) => ({ ...wire, input: new Uint8Array(wire.input) }));
    assert.deepEqual(stored, [3, 1, 2].map(wireDigit));
    const { waiting, waitingBytes, oldestQueuedAtMs } = queue.status();
    assert.deepEqual([waiting, waitingBytes], [3, 3 * (6 + FEEDBACK_ROW_BYTES)]);
    assert.equal(oldestQueuedAtMs, NOW_MS);
  });
});

it('keeps vectors and formats of all kinds', (test) => {
  const path = pathFor(test);
  const { input, target } = reading(5);
  const bytes = (array: Float32Array) => new Uint8Array(array.buffer.slice(0));
  assert(input instanceof Float32Array && target instanceof Float32Array);
  const wire = { ...wireDigit(1), input: bytes(input), target: bytes(target) };
  const scalar: SampleFormat = { ...SENSORS, inputShape: [] };
  withQueue(path, (queue) => {
    queue.adoptFormat(SENSORS);
    queue.add([{ name: null, wire }]);
  });
  withQueue(path, (queue) => {
    assert.deepEqual(queue.format(), SENSORS);
    const [stored] = queue.oldest(1, 1);
    assert.deepEqual(new Uint8Array(stored!.input), wire.input);
    assert.deepEqual(new Uint8Array(stored!.target as Uint8Array), wire.target);
    queue.adoptFormat(scalar);
    assert.deepEqual(queue.format(), scalar);
  });
});

it('hands out batches that are bounded in samples and bytes, but never none', (test) => {
  withQueue(pathFor(test), (queue) => {
    queueDigits(queue, range(0, 10));
    assert.equal(queue.oldest(4, 1e9).length, 4);
    assert.equal(queue.oldest(10, 3 * (6 + FEEDBACK_ROW_BYTES)).length, 3);
    assert.equal(queue.oldest(10, 1).length, 1);
  });
});

it('takes a request that does not fit not even in part, and remembers its limits', (test) => {
  const path = pathFor(test);
  withQueue(path, (queue) => {
    queue.setLimits({ samplesMax: 3, bytesMax: 1e9 });
    queueDigits(queue, [1, 2]);
    assert.deepEqual(queue.add([3, 4].map(namedDigit)), { kind: 'full', waiting: 2 });
    assert.deepEqual(numbersOf(queue), [1, 2]);
  });
  withQueue(path, (queue) => {
    assert.equal(queue.add([3, 4].map(namedDigit)).kind, 'full');
    assert.equal(queue.add([namedDigit(3)]).kind, 'taken');
    // What waits already needs no room.
    assert.deepEqual(queue.add([namedDigit(1)]), { kind: 'taken', taken: 0, duplicates: 1, waiting: 3 });
    queue.setLimits({ samplesMax: 100, bytesMax: 4 * (6 + FEEDBACK_ROW_BYTES) });
    assert.equal(queue.add([4, 5].map(namedDigit)).kind, 'full');
    assert.equal(queue.add([namedDigit(4)]).kind, 'taken');
  });
});

it('forgets what is settled, remembers why the others were refused, and counts', (test) => {
  const path = pathFor(test);
  withQueue(path, (queue) => {
    queueDigits(queue, range(0, 6));
    const batch = queue.oldest(4, 1e9);
    queue.settle(batch, { taken: 2, duplicates: 1, refused: [{ index: 2, reason: 'label is 10' }] });
    assert.deepEqual(numbersOf(queue), [4, 5]);
  });
  withQueue(path, (queue) => {
    const { taken, duplicates, refused, waiting, waitingBytes, recentlyRefused } = queue.status();
    assert.deepEqual([taken, duplicates, refused, waiting], [2, 1, 1, 2]);
    assert.equal(waitingBytes, 2 * (6 + FEEDBACK_ROW_BYTES));
    assert.deepEqual(recentlyRefused, [
      { name: 'sample 2', queuedAtMs: NOW_MS, refusedAtMs: NOW_MS, reason: 'label is 10' },
    ]);
    // It may be queued again: the hub decides.
    assert.equal(queue.add([namedDigit(2)]).kind, 'taken');
  });
});

it('remembers a bounded number of refusals, the newest', (test) => {
  withQueue(pathFor(test), (queue) => {
    const count = REFUSED_KEPT + 50;
    queueDigits(queue, range(0, count));
    for (let i = 0; i < 2; i++) {
      const batch = queue.oldest(count / 2, 1e9);
      const refused = batch.map((_, index) => ({ index, reason: 'test' }));
      queue.settle(batch, { taken: 0, duplicates: 0, refused });
    }
    const { recentlyRefused, refused } = queue.status();
    assert.equal(refused, count);
    assert.equal(recentlyRefused.length, REFUSED_KEPT);
    assert.equal(recentlyRefused[0]?.name, `sample ${count - 1}`);
  });
});

it('refuses what is queued when the hub takes other samples, and only that', (test) => {
  withQueue(pathFor(test), (queue) => {
    queueDigits(queue, range(0, 10));
    const classes = (classCount: number): SampleFormat => ({
      ...DIGITS,
      target: { kind: 'class', classCount },
    });
    assert.equal(queue.adoptFormat(DIGITS), 0);
    assert.equal(queue.adoptFormat(classes(20)), 0);
    assert.equal(queue.adoptFormat(classes(8)), 2);
    assert.deepEqual(numbersOf(queue), range(0, 8));
    assert.equal(queue.adoptFormat(SENSORS), 8);
    const { waiting, waitingBytes, refused, recentlyRefused } = queue.status();
    assert.deepEqual([waiting, waitingBytes, refused], [0, 0, 10]);
    assert.match(recentlyRefused[0]!.reason, /takes other samples/);
  });
});

it('a store from before there was feedback gets the queue, and keeps what it has', (test) => {
  const path = pathFor(test);
  WeightStore.open(path, { clock: () => 0 }).close();
  const old = new Database(path);
  old.exec('DROP TABLE feedback_state; DROP TABLE feedback_queue; DROP TABLE feedback_refused;');
  old.exec('UPDATE agent_state SET last_command_id = 7');
  old.pragma('user_version = 1');
  old.close();
  withQueue(path, (queue) => {
    queueDigits(queue, [1]);
    assert.deepEqual(numbersOf(queue), [1]);
  });
  const store = WeightStore.open(path, { clock: () => 0 });
  assert.equal(store.lastCommandId(), 7);
  store.close();
});
