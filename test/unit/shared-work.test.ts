/** Work that several wait for: done once, in turn, and dropped when nobody wants it any more. */
import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { SharedWork } from '../../trainer/hub/ways/shared-work.ts';
import { TurnQueue } from '../../trainer/hub/ways/turn-queue.ts';

const reason = new Error('left');

test('all who ask while it is under way get the one result; who asks later starts it anew', async () => {
  const shared = new SharedWork<string, number>();
  const { signal } = new AbortController();
  const first = Promise.withResolvers<number>();
  let startCount = 0;
  const start = () => {
    startCount++;
    return startCount === 1 ? first.promise : Promise.resolve(startCount);
  };
  const waiting = [shared.join('a', signal, start), shared.join('a', signal, start)];
  const other = shared.join('b', signal, start);
  first.resolve(1);
  assert.deepEqual(await Promise.all(waiting), [1, 1]);
  assert.equal(await other, 2);
  assert.equal(await shared.join('a', signal, start), 3);
});

test('who leaves does not wait, and the work goes on until the last one has left', async () => {
  const shared = new SharedWork<string, number>();
  const [one, two] = [new AbortController(), new AbortController()];
  let unwanted: AbortSignal | undefined;
  const start = (signal: AbortSignal) => {
    unwanted = signal;
    return new Promise<number>(() => undefined);
  };
  const waiting = [one, two].map(({ signal }) => shared.join('a', signal, start));
  one.abort(reason);
  await assert.rejects(waiting[0]!, reason);
  assert.equal(unwanted?.aborted, false);
  two.abort(reason);
  await assert.rejects(waiting[1]!, reason);
  assert.equal(unwanted?.aborted, true);
  await assert.rejects(shared.join('a', one.signal, start), reason);
});

test('a failure is told to all who wait, and to nobody else', async () => {
  const shared = new SharedWork<string, number>();
  const { signal } = new AbortController();
  const start = () => Promise.reject(reason);
  const waiting = [shared.join('a', signal, start), shared.join('a', signal, start)];
  for (const each of waiting) await assert.rejects(each, reason);
  assert.equal(await shared.join('a', signal, () => Promise.resolve(2)), 2);
});

test('a queue does one thing after the other, goes on after a failure, and passes over what is unwanted', async () => {
  const queue = new TurnQueue();
  const done: string[] = [];
  const { signal } = new AbortController();
  const left = new AbortController();
  const gate = Promise.withResolvers<void>();
  const first = queue.run(async () => {
    await gate.promise;
    done.push('first');
    throw reason;
  }, signal);
  const second = queue.run(async () => done.push('second'), left.signal);
  const third = queue.run(async () => done.push('third'), signal);
  left.abort(reason);
  gate.resolve();
  await assert.rejects(first, reason);
  await assert.rejects(second, reason);
  await third;
  assert.deepEqual(done, ['first', 'third']);
});
