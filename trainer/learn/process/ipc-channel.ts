/** The learner's end of the IPC channel: sends in order, and lets the training loop wait for what it expects. */
import { assert } from '@freshet/protocol/assert';
import type { FromLearner, ToLearner } from './messages.ts';

export interface LearnerChannel {
  /** Resolves when the message has left the process. */
  send(message: FromLearner): Promise<void>;
  /** Resolves with the next message of this type, or null once `stop` has come. */
  next<Type extends 'begin' | 'published'>(type: Type): Promise<Extract<ToLearner, { type: Type }> | null>;
  /** Resolves after `ms`, or earlier when a message has come. */
  pause(ms: number): Promise<void>;
  /** Whether the trainer wants the learner to end. */
  readonly stopped: boolean;
  /** Resolves when it does. */
  untilStopped(): Promise<void>;
}

export class IpcChannel implements LearnerChannel {
  #arrived: ToLearner | null = null;
  #wake: (() => void) | null = null;
  #stopped = false;

  constructor() {
    process.on('message', (message: ToLearner) => {
      if (message.type === 'stop') this.#stopped = true;
      else {
        assert(this.#arrived === null, 'the trainer answers one message at a time');
        this.#arrived = message;
      }
      this.#wake?.();
    });
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  async untilStopped(): Promise<void> {
    while (!this.#stopped) await this.#change();
  }

  send(message: FromLearner): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    process.send?.(message, undefined, {}, (error) => (error === null ? resolve() : reject(error)));
    return promise;
  }

  async pause(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    await Promise.race([promise, this.#change()]);
    clearTimeout(timer);
  }

  async next<Type extends 'begin' | 'published'>(
    type: Type,
  ): Promise<Extract<ToLearner, { type: Type }> | null> {
    while (this.#arrived === null && !this.#stopped) await this.#change();
    const message = this.#arrived;
    this.#arrived = null;
    if (message === null) return null;
    assert(message.type === type, `${type} was due, ${message.type} came`);
    return message as Extract<ToLearner, { type: Type }>;
  }

  #change(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    return promise;
  }
}
