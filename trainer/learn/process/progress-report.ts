/** Tells the trainer how training goes, now and then. */
import { StepRate } from '../../core/step-rate.ts';
import type { LearnerChannel } from './ipc-channel.ts';
import type { LearnerProgress } from './messages.ts';

/** More often than this nobody can read it. */
const INTERVAL_MS = 200;

export class ProgressReport {
  readonly #channel: LearnerChannel;
  readonly #rate = new StepRate();
  #dueMs = 0;
  /** Of the newest step, where nobody has been told of it. */
  #untold: Omit<LearnerProgress, 'stepsPerSecond'> | null = null;

  constructor(channel: LearnerChannel) {
    this.#channel = channel;
  }

  /** After each step. Also lets messages in: the backends compute without ever yielding. */
  async step(progress: Omit<LearnerProgress, 'stepsPerSecond'>, isLast: boolean): Promise<void> {
    const nowMs = performance.now();
    this.#rate.add(nowMs);
    await new Promise((resolve) => setImmediate(resolve));
    this.#untold = progress;
    if (nowMs >= this.#dueMs || isLast) await this.rest();
  }

  /** While nothing more comes: tells of the newest step, if that has not been done. */
  async rest(): Promise<void> {
    if (this.#untold === null) return;
    const progress = this.#untold;
    this.#untold = null;
    this.#dueMs = performance.now() + INTERVAL_MS;
    const stepsPerSecond = this.#rate.perSecond();
    await this.#channel.send({ type: 'progress', progress: { ...progress, stepsPerSecond } });
  }
}
