/** Work that is done one after the other, in the order it was asked for, unless it is no longer wanted by then. */
export class TurnQueue {
  #last: Promise<unknown> = Promise.resolve();

  /** What `work` gives, once it has had its turn. @throws `signal.reason` where `signal` aborts before that. */
  run<Result>(work: () => Promise<Result>, signal: AbortSignal): Promise<Result> {
    const turn = this.#last.then(() => {
      signal.throwIfAborted();
      return work();
    });
    // The next one has its turn however this one ends; how it ends is for the one who asked.
    this.#last = turn.catch(() => null);
    return turn;
  }
}
