/**
 * Prequential accuracy along a stream: what was predicted right, group by group of fresh images. Windows are fixed
 * stretches of the stream, not sliding ones, so that runs that take images in groups of different size can be compared
 * window by window.
 */
import { assert } from '@freshet/protocol/assert';

export interface Window {
  /** Images of the stream before the window's end, those of the initial training included. */
  readonly end: number;
  readonly accuracy: number;
}

export class Trace {
  readonly #start: number;
  /** One for each image from `start` on: 1 where it was predicted right. */
  readonly #hits: Uint8Array;
  #end: number;

  /** For the images [start, end) of a stream. */
  constructor(start: number, end: number) {
    this.#start = start;
    this.#hits = new Uint8Array(end - start);
    this.#end = start;
  }

  /** The next images, in their order: whether each was predicted right before it was trained on. */
  add(hits: readonly boolean[]): void {
    assert(this.#end - this.#start + hits.length <= this.#hits.length, 'no more images than the stream has');
    for (const hit of hits) this.#hits[this.#end++ - this.#start] = hit ? 1 : 0;
  }

  /** Arrival number of the next image. */
  get end(): number {
    return this.#end;
  }

  /** Share of the images [begin, end) that were predicted right; over all so far by default. */
  accuracy(begin = this.#start, end = this.#end): number {
    assert(begin >= this.#start && end <= this.#end && begin < end, 'a range of images that have come by');
    let sum = 0;
    for (const hit of this.#hits.subarray(begin - this.#start, end - this.#start)) sum += hit;
    return sum / (end - begin);
  }

  /** Consecutive windows of `length` images; what is left over at the end is in none. */
  windows(length: number): Window[] {
    const windows: Window[] = [];
    for (let end = this.#start + length; end <= this.#end; end += length) {
      windows.push({ end, accuracy: this.accuracy(end - length, end) });
    }
    return windows;
  }

  /** Accuracy over all images before each multiple of `stride`: the curves of the paper. */
  cumulative(stride: number): Window[] {
    const points: Window[] = [];
    for (let end = this.#start + stride; end <= this.#end; end += stride) {
      points.push({ end, accuracy: this.accuracy(this.#start, end) });
    }
    return points;
  }
}
