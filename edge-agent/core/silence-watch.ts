/**
 * Whether the hub has gone silent, asked once per heartbeat interval. Pings wait behind a large message on a thin link,
 * and so do their answers: as long as what is unsent gets less, the connection is alive.
 */

/** Intervals in a row without a sign of life after which a connection counts as broken. */
export const SILENT_INTERVALS_MAX = 3;

export class SilenceWatch {
  #intervals = 0;
  #unsentBytes = 0;

  /** Something has come from the hub. */
  heard(): void {
    this.#intervals = 0;
  }

  /** One more interval is over, and so many bytes wait to be sent. True when the hub counts as gone. */
  isSilent(unsentBytes: number): boolean {
    if (unsentBytes < this.#unsentBytes) this.#intervals = 0;
    this.#unsentBytes = unsentBytes;
    return ++this.#intervals > SILENT_INTERVALS_MAX;
  }
}
