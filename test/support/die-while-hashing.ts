/**
 * Preloaded into a process and its threads (`--import`): ends the thread of `HashThread` from inside, as a fault would, once
 * it has claimed a range of a climb and before it has hashed any of it. Made for the climbs of hash-with-thread.ts.
 */
import { isMainThread } from 'node:worker_threads';

/** Ranges of each climb: of 512 chunks, but for the last. Enough for two threads, and for the first to need a while. */
export const HASHED_RANGES = 9;

/** Where a shared climb counts the ranges that are claimed. */
const CLAIMED = 0;

if (!isMainThread) {
  Atomics.add = new Proxy(Atomics.add, {
    apply(add, self, parameters: Parameters<typeof Atomics.add>) {
      const before = Number(Reflect.apply(add, self, parameters));
      // Whoever comes too late claims one beyond the last, which is nothing to lose.
      if (parameters[1] === CLAIMED && before < HASHED_RANGES) process.exit(7);
      return before;
    },
  });
}
