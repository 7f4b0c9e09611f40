/** Steps per second over the newest steps, for a progress display. */

/** Enough to smooth the pauses of publications, few enough to follow a change. */
const WINDOW_STEPS = 20;

export class StepRate {
  readonly #finishedMs: number[] = [];

  /** Takes in that a step has ended at `nowMs` of a steady clock. */
  add(nowMs: number): void {
    this.#finishedMs.push(nowMs);
    if (this.#finishedMs.length > WINDOW_STEPS) this.#finishedMs.shift();
  }

  /** 0 before the second step. */
  perSecond(): number {
    const first = this.#finishedMs[0];
    const last = this.#finishedMs[this.#finishedMs.length - 1];
    if (first === undefined || last === undefined || last === first) return 0;
    return (1000 * (this.#finishedMs.length - 1)) / (last - first);
  }
}
