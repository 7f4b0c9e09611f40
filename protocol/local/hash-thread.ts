/**
 * A second thread for hashing (`HashHelper`). It starts when it is first asked, sleeps between two climbs, and does not
 * keep the process alive. Whatever is wrong with it, `offer` does nothing and the caller hashes alone; where it dies inside
 * a climb, that climb is made again without it. A thread that is lost is not replaced: what killed it would kill the next.
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
  readonly #onLost: (cause: unknown) => void;

  /** `onLost` is called once, later and never within `offer`, when the thread cannot be started or has died. */
  constructor(onLost: (cause: unknown) => void) {
    this.#onLost = onLost;
  }

  offer(climb: SharedClimb): void {
    if (this.#worker === undefined) this.#worker = this.#start();
    if (Atomics.load(this.#state, 0) !== THREAD_IDLE) return;
    this.#worker?.postMessage(climb);
    Atomics.store(this.#state, 0, THREAD_ASKED);
    Atomics.notify(this.#state, 0);
  }

  /** Null where a second thread would have no core of its own, or is refused by the system or by Node.js's permissions. */
  #start(): Worker | null {
    if (availableParallelism() < 2) return null;
    try {
      const worker = new Worker(new URL('./hash-thread-main.ts', import.meta.url), {
        workerData: this.#state,
      });
      let failure: unknown;
      worker.on('error', (error) => {
        failure = error;
      });
      // Comes after the error, if there is one. The thread never ends by itself.
      worker.on('exit', (exitCode) => {
        this.#worker = null;
        this.#onLost(failure ?? new Error(`the thread ended with exit code ${exitCode}`));
      });
      worker.unref();
      return worker;
    } catch (cause) {
      setImmediate(this.#onLost, cause);
      return null;
    }
  }
}
