/**
 * Ways to the head that were prepared for one agent and serve all that stand where it stands. All of them expire with
 * the next version; of those to one head, the least recently used go first.
 */
import type { WeightsVersion } from '@freshet/protocol/ids';

const WAYS_MAX = 16;
const FRAME_BYTES_MAX = 64 * 1024 * 1024;

export class WayCache<Way> {
  readonly #bytesOf: (way: Way) => number;
  /** Least recently used first. */
  readonly #ways = new Map<WeightsVersion, Way>();
  #head: WeightsVersion | null = null;
  #bytes = 0;

  /** `bytesOf`: what keeping a way costs in memory. */
  constructor(bytesOf: (way: Way) => number) {
    this.#bytesOf = bytesOf;
  }

  /** The way from `start` to `head`, prepared where it is not known. */
  get(start: WeightsVersion, head: WeightsVersion, prepare: () => Way): Way {
    if (this.#head !== head) this.#expire(head);
    const way = this.#ways.get(start) ?? this.#add(prepare());
    this.#ways.delete(start);
    this.#ways.set(start, way);
    this.#forgetOldest();
    return way;
  }

  #add(way: Way): Way {
    this.#bytes += this.#bytesOf(way);
    return way;
  }

  #expire(head: WeightsVersion): void {
    this.#ways.clear();
    this.#bytes = 0;
    this.#head = head;
  }

  #forgetOldest(): void {
    for (const [start, way] of this.#ways) {
      const fits = this.#ways.size <= WAYS_MAX && this.#bytes <= FRAME_BYTES_MAX;
      if (fits || this.#ways.size === 1) return;
      this.#ways.delete(start);
      this.#bytes -= this.#bytesOf(way);
    }
  }
}
