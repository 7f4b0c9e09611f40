/** Bytes of which nobody knows beforehand how many there will be. */

const BYTES_AT_FIRST = 256;

export class GrowingBytes {
  #bytes = new Uint8Array(BYTES_AT_FIRST);
  #length = 0;

  push(byte: number): void {
    if (this.#length === this.#bytes.length) {
      const larger = new Uint8Array(2 * this.#bytes.length);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    this.#bytes[this.#length++] = byte;
  }

  /** A copy of those from `start` on. */
  slice(start = 0): Uint8Array {
    return this.#bytes.slice(start, this.#length);
  }
}
