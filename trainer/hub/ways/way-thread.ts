/**
 * The hub's face of the thread that goes back through old versions (way-worker.ts). The thread starts with the first
 * question and stays. If it dies, the question under way fails and the next run gets a new one.
 */
import { Worker } from 'node:worker_threads';
import { assert } from '@freshet/protocol/assert';
import { FreshetError } from '@freshet/protocol/errors';
import type { WayAnswer, WayQuestion } from './way-messages.ts';

/** Far longer than any answer takes; whoever waits for a way goes another one then. */
const ANSWER_MS_MAX = 60_000;

/** Beside this file, both in source and compiled. */
const WORKER_URL = new URL(
  import.meta.url.endsWith('.ts') ? './way-worker.ts' : './way-worker.js',
  import.meta.url,
);

interface Pending {
  readonly resolve: (answer: WayAnswer) => void;
  readonly reject: (error: FreshetError) => void;
  readonly impatience: NodeJS.Timeout;
}

export class WayThread {
  #worker: Worker | null = null;
  #pending: Pending | null = null;

  /**
   * Asks the next question; one at a time. Buffers in `transfer` are the thread's from then on.
   * @throws NOT_READY when the thread dies over it or does not answer: begin again, or do without.
   */
  ask(question: WayQuestion, transfer: readonly ArrayBuffer[] = []): Promise<WayAnswer> {
    assert(this.#pending === null, 'the thread is asked one thing at a time');
    if (question.type === 'begin') this.#worker ??= this.#start();
    const worker = this.#worker;
    if (worker === null) return Promise.reject(lost('it stopped between two questions'));
    const { promise, resolve, reject } = Promise.withResolvers<WayAnswer>();
    const impatience = setTimeout(() => {
      this.#died(worker, `no answer in ${ANSWER_MS_MAX / 1000} s`);
      void worker.terminate();
    }, ANSWER_MS_MAX);
    this.#pending = { resolve, reject, impatience };
    worker.postMessage(question, transfer);
    return promise;
  }

  /** Ends the thread, whatever it does; a question under way fails. A later one would start another thread. */
  async close(): Promise<void> {
    const worker = this.#worker;
    if (worker === null) return;
    this.#died(worker, 'the hub is stopping');
    await worker.terminate();
  }

  #start(): Worker {
    const worker = new Worker(WORKER_URL, { name: 'old-versions' });
    worker.on('message', (answer: WayAnswer) => this.#settle()?.resolve(answer));
    worker.on('error', (error) => this.#died(worker, error.message, error));
    worker.on('exit', (exitCode) => this.#died(worker, `exit code ${exitCode}`));
    return worker;
  }

  /** Of several signs of one death the first counts; of a thread that was given up, none. */
  #died(worker: Worker, how: string, cause?: unknown): void {
    if (worker !== this.#worker) return;
    this.#worker = null;
    this.#settle()?.reject(lost(how, cause));
  }

  #settle(): Pending | null {
    const pending = this.#pending;
    this.#pending = null;
    if (pending !== null) clearTimeout(pending.impatience);
    return pending;
  }
}

function lost(how: string, cause?: unknown): FreshetError {
  return new FreshetError('NOT_READY', `the thread for old versions was lost (${how}): try again`, { cause });
}
