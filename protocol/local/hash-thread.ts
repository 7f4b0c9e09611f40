/**
 * A second thread for hashing (`HashHelper`). It starts when it is first asked, sleeps between two climbs, and does not
 * keep the process alive. Whatever is wrong with it, `offer` does nothing and the caller hashes alone.
 *
 * Climbs are synchronous: they cannot wait for messages. So the thread sleeps on a shared word, and takes the message
 * that was posted before the word was changed.
 */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { HashHelper, SharedClimb } from '../blake3/shared-climb.ts';

/** What the thread does, in the shared word; 0 while it is starting. */
export const THREAD_IDLE = 1;
export const THREAD_ASKED = 2;

export class HashThread implements HashHelper {
  readonly #state = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  /** Undefined until first needed, null where it could not be started: that is not tried again. */
  #worker: Worker | null | undefined;

  offer(climb: SharedClimb): void {
    if (this.#worker === undefined) this.#worker = startWorker(this.#state);
    if (Atomics.load(this.#state, 0) !== THREAD_IDLE) return;
    this.#worker?.postMessage(climb);
    Atomics.store(this.#state, 0, THREAD_ASKED);
    Atomics.notify(this.#state, 0);
  }
}

/** Null where a second thread would have no core of its own, or is refused by the system or by Node.js's permissions. */
function startWorker(state: Int32Array): Worker | null {
  if (availableParallelism() < 2) return null;
  try {
    const worker = new Worker(new URL('./hash-thread-main.ts', import.meta.url), { workerData: state });
    worker.on('error', () => {
      // A thread that failed is never idle again: nothing is left to be done.
    });
    worker.unref();
    return worker;
  } catch {
    return null;
  }
}
