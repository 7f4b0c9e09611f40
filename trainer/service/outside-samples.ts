/**
 * Where samples from elsewhere go, of clients and of devices: the sample log, which is opened once the learner has said
 * what a sample looks like.
 */
import type { SampleFormat } from '@freshet/protocol/sample-format';
import type { SampleLimits } from '../history/sample-log/sample-capacity.ts';
import { SampleInbox } from '../history/sample-log/sample-inbox.ts';

export interface OutsideSamplesOptions {
  /** Of the log. */
  readonly path: string;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
  readonly limits: SampleLimits;
  readonly onOpen: (inbox: SampleInbox) => void;
}

export class OutsideSamples {
  readonly #options: OutsideSamplesOptions;
  #inbox: SampleInbox | null = null;

  constructor(options: OutsideSamplesOptions) {
    this.#options = options;
  }

  /** Null before `open`. */
  get inbox(): SampleInbox | null {
    return this.#inbox;
  }

  /**
   * Opens the log. Of a learner that was started again nothing new is heard.
   * @throws CONFIG_INVALID, MODEL_MISMATCH, STORE_*
   */
  open(format: SampleFormat): void {
    if (this.#inbox !== null) return;
    const { path, clock, limits, onOpen } = this.#options;
    this.#inbox = SampleInbox.open(path, { format, clock, limits });
    onOpen(this.#inbox);
  }

  close(): void {
    this.#inbox?.close();
    this.#inbox = null;
  }
}
