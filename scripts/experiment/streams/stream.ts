/** What an experiment trains on: images in the order of their arrival, and what they are tested with. */
import type { Images } from './images.ts';

/** A stretch of the stream with one distribution, or with one way of changing it. */
export interface Phase {
  readonly name: string;
  /** Index of its first image in `Stream.images`. */
  readonly start: number;
}

export interface Stream {
  readonly name: string;
  readonly images: Images;
  /** The first so many are there before anything is deployed. */
  readonly initialCount: number;
  /** Ascending; the first one starts at `initialCount`. */
  readonly phases: readonly Phase[];
  /** Held-out images for what there is to know of each task; the last one is what counts at the end. */
  readonly tests: readonly { readonly name: string; readonly images: Images }[];
}

/** The phase that image `index` of the stream belongs to: its number. */
export function phaseAt({ phases }: Stream, index: number): number {
  let phase = 0;
  while (phase + 1 < phases.length && phases[phase + 1]!.start <= index) phase++;
  return phase;
}
