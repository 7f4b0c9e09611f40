/**
 * The paper's way to sparse gradients (Prapas et al. 2021, algorithm 1; Stich et al., "Sparsified SGD with Memory",
 * NeurIPS 2018): what is left out of one gradient is added to the next,
 *
 *   g ← g + m,   g_sparse ← the k chosen of each tensor,   m ← g − g_sparse
 *
 * with k = max(1, ⌊n·d⌋) for a tensor of n weights at density d.
 */
import { assert } from '@freshet/protocol/assert';
import type { Random } from '../random.ts';
import { distinctIntegers } from '../samplers/distinct-integers.ts';
import { selectTopK } from '../select-top-k.ts';
import { shareOf } from './share-of.ts';
import type { GradientFilter } from './sparsifier.ts';

/** Weights `start` … `end` − 1 of one tensor that has a gradient. */
export interface GradientSpan {
  readonly start: number;
  readonly end: number;
}

/** Positions within `values`, `count` of them or all, in any order; where it chooses by size, no zeros. */
export type Chooser = (values: Float32Array, count: number, random: Random) => Iterable<number>;

export const chooseLargest: Chooser = (values, count) => selectTopK(values, count);

export const chooseAtRandom: Chooser = (values, count, random) =>
  distinctIntegers(values.length, Math.min(count, values.length), random);

export class GradientMemory implements GradientFilter {
  readonly #spans: readonly GradientSpan[];
  readonly #density: number;
  readonly #choose: Chooser;
  readonly #memory: Float32Array;
  /** For each weight 1 where the optimiser got a gradient of it since `clearTouched`. */
  readonly #touched: Uint8Array;

  /** `spans`: ascending, disjoint. Nothing is remembered yet. */
  constructor(elementCount: number, spans: readonly GradientSpan[], density: number, choose: Chooser) {
    assert(density > 0 && density <= 1, 'density in (0, 1]');
    this.#spans = spans;
    this.#density = density;
    this.#choose = choose;
    this.#memory = new Float32Array(elementCount);
    this.#touched = new Uint8Array(elementCount);
  }

  filter(gradient: Float32Array, random: Random): void {
    assert(gradient.length === this.#memory.length, 'a gradient for each weight');
    for (const { start, end } of this.#spans) {
      const sum = this.#memory.subarray(start, end);
      const sparse = gradient.subarray(start, end);
      for (let i = 0; i < sum.length; i++) sum[i]! += sparse[i]!;
      sparse.fill(0);
      for (const i of this.#choose(sum, shareOf(sum.length, this.#density), random)) {
        sparse[i] = sum[i]!;
        sum[i] = 0;
        this.#touched[start + i] = 1;
      }
    }
  }

  /** Weights that the optimiser got a gradient of since `clearTouched`, ascending. A new array. */
  touched(): Uint32Array {
    const indices = new Uint32Array(this.#touched.reduce((sum, each) => sum + each, 0));
    let count = 0;
    for (let i = 0; i < this.#touched.length; i++) if (this.#touched[i] === 1) indices[count++] = i;
    return indices;
  }

  clearTouched(): void {
    this.#touched.fill(0);
  }

  /** A copy of what has been left out so far. */
  memory(): Float32Array {
    return this.#memory.slice();
  }

  /** Goes on from what `memory` and `touched` gave; both are copied. */
  restore(memory: Float32Array, touched: Uint32Array): void {
    this.#memory.set(memory);
    this.clearTouched();
    for (const index of touched) this.#touched[index] = 1;
  }
}
