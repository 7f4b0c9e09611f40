/**
 * A real worker thread whose questions a test holds back: what happens meanwhile does not depend on how fast it is.
 */
import { once } from 'node:events';
import type { Worker } from 'node:worker_threads';

export class HeldThread {
  readonly worker: Worker;
  readonly #post: Worker['postMessage'];
  #held: Parameters<Worker['postMessage']>[] = [];
  #isHolding = true;

  /** The next thread that this process starts; all it is asked after the first question is held back. */
  static async next(): Promise<HeldThread> {
    const [worker] = (await once(process, 'worker')) as [Worker];
    return new HeldThread(worker);
  }

  constructor(worker: Worker) {
    this.worker = worker;
    this.#post = worker.postMessage.bind(worker);
    worker.postMessage = (...question) => {
      if (this.#isHolding) this.#held.push(question);
      else this.#post(...question);
    };
  }

  /** Questions that are held back. */
  get heldCount(): number {
    return this.#held.length;
  }

  release(): void {
    this.#isHolding = false;
    for (const question of this.#held.splice(0)) this.#post(...question);
  }
}
