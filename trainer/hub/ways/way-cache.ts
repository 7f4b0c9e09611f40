/**
 * Ways to the head that were made for one agent and serve all that stand where it stands. All of them expire with the
 * next version; of those to one head, the least recently used go first.
 */
import type { WeightsVersion } from '@freshet/protocol/ids';
import { keptBytesOf, type Way } from './way.ts';

const WAYS_MAX = 16;
const FRAME_BYTES_MAX = 64 * 1024 * 1024;

export class WayCache {
  /** By where they start; least recently used first. */
  readonly #ways = new Map<WeightsVersion, Way>();
  #head: WeightsVersion | null = null;
  #bytes = 0;

  /** The way from `start` to `head`, or null where it is not known. */
  find(start: WeightsVersion, head: WeightsVersion): Way | null {
    const way = this.#head === head ? this.#ways.get(start) : undefined;
    if (way === undefined) return null;
    this.#ways.delete(start);
    this.#ways.set(start, way);
    return way;
  }

  /** Keeps `way` from `start` to `head`, the newest version; those to others are forgotten. */
  keep(start: WeightsVersion, head: WeightsVersion, way: Way): void {
    if (this.#head !== head) this.#expire(head);
    this.#forget(start);
    this.#ways.set(start, way);
    this.#bytes += keptBytesOf(way);
    this.#forgetOldest();
  }

  #expire(head: WeightsVersion): void {
    this.#ways.clear();
    this.#bytes = 0;
    this.#head = head;
  }

  #forget(start: WeightsVersion): void {
    const way = this.#ways.get(start);
    if (way === undefined) return;
    this.#ways.delete(start);
    this.#bytes -= keptBytesOf(way);
  }

  #forgetOldest(): void {
    for (const start of this.#ways.keys()) {
      const fits = this.#ways.size <= WAYS_MAX && this.#bytes <= FRAME_BYTES_MAX;
      if (fits || this.#ways.size === 1) return;
      this.#forget(start);
    }
  }
}
