/** Work that is under way once, however many wait for its result, and is told when nobody does any more. */

interface Work<Result> {
  readonly result: Promise<Result>;
  readonly unwanted: AbortController;
  waiting: number;
}

export class SharedWork<Key, Result> {
  readonly #underWay = new Map<Key, Work<Result>>();

  /**
   * The result of the work under way for `key`, which `start` begins where there is none. Its signal aborts when all who
   * wait have left. @throws `signal.reason` as soon as `signal` aborts.
   */
  async join(
    key: Key,
    signal: AbortSignal,
    start: (unwanted: AbortSignal) => Promise<Result>,
  ): Promise<Result> {
    signal.throwIfAborted();
    const work = this.#underWay.get(key) ?? this.#begin(key, start);
    work.waiting++;
    const { promise: left, reject } = Promise.withResolvers<never>();
    const leave = () => reject(signal.reason);
    signal.addEventListener('abort', leave, { once: true });
    try {
      return await Promise.race([work.result, left]);
    } finally {
      signal.removeEventListener('abort', leave);
      work.waiting--;
      if (work.waiting === 0) this.#end(key, work);
    }
  }

  #begin(key: Key, start: (unwanted: AbortSignal) => Promise<Result>): Work<Result> {
    const unwanted = new AbortController();
    const work = { result: start(unwanted.signal), unwanted, waiting: 0 };
    this.#underWay.set(key, work);
    // Who comes after the end begins anew: what there is to find out may have changed.
    const over = () => this.#forget(key, work);
    work.result.then(over, over);
    return work;
  }

  #end(key: Key, work: Work<Result>): void {
    this.#forget(key, work);
    work.unwanted.abort();
  }

  #forget(key: Key, work: Work<Result>): void {
    if (this.#underWay.get(key) === work) this.#underWay.delete(key);
  }
}
