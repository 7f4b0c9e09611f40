/**
 * Where samples from elsewhere go, of clients and of devices: the sample log, which is opened once the learner has said
 * what a sample looks like.
 */
import type { SampleFormat } from '@freshet/protocol/sample-format';
import { SampleInbox } from '../history/sample-log/sample-inbox.ts';

export class OutsideSamples {
  readonly #path: string;
  readonly #clock: () => number;
  readonly #onOpen: (inbox: SampleInbox) => void;
  #inbox: SampleInbox | null = null;

  /** `path`: of the log. `clock`: milliseconds since 1970. */
  constructor(path: string, clock: () => number, onOpen: (inbox: SampleInbox) => void) {
    this.#path = path;
    this.#clock = clock;
    this.#onOpen = onOpen;
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
    this.#inbox = SampleInbox.open(this.#path, { format, clock: this.#clock });
    this.#onOpen(this.#inbox);
  }

  close(): void {
    this.#inbox?.close();
    this.#inbox = null;
  }
}
