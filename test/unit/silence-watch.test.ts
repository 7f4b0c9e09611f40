/** When a device gives up on a hub that says nothing. */
import { strict as assert } from 'node:assert';
import { it } from 'node:test';
import { SILENT_INTERVALS_MAX, SilenceWatch } from '@freshet/edge-agent/core/silence-watch';

/** What the watch says at the end of each interval. */
function watch(unsent: readonly number[], heardAfter: readonly number[] = []): boolean[] {
  const silence = new SilenceWatch();
  return unsent.map((bytes, i) => {
    const silent = silence.isSilent(bytes);
    if (heardAfter.includes(i)) silence.heard();
    return silent;
  });
}

it('after some intervals without a sign of life', () => {
  assert.deepEqual(watch(Array(SILENT_INTERVALS_MAX + 1).fill(0)), [
    ...Array(SILENT_INTERVALS_MAX).fill(false),
    true,
  ]);
});

it('not while something comes now and then', () => {
  assert.equal(watch(Array(20).fill(0), [2, 5, 8, 11, 14, 17]).includes(true), false);
});

it('not while a large message gets less, though nothing can be answered before it is out', () => {
  assert.equal(watch([1000, 900, 800, 700, 600, 500, 400, 300, 200, 100]).includes(true), false);
});

it('but when it does not get less: heartbeats wait behind it', () => {
  assert.deepEqual(watch([1000, 1100, 1200, 1300]), [false, false, false, true]);
  assert.deepEqual(watch([1000, 900, 900, 900, 900]), [false, false, false, false, true]);
});
