/** Time, as the median of many runs: what other work on the machine adds to some of them does not count. */

import { assert } from '@freshet/protocol/assert';

const COUNT_MIN = 5;
const COUNT_MAX = 2000;
/** Share of the budget that goes before, so that the compiler of V8 is done with what is measured. */
const WARM_UP_SHARE = 0.3;

export interface Measured {
  run(): void;
  /** Brings back what `run` has changed; not measured. */
  reset?(): void;
}

/** Median duration of `run` in milliseconds, of as many runs as fit into about `budgetMs`, and of five at least. */
export function medianMs({ run, reset }: Measured, budgetMs: number): number {
  repeat(run, reset, { budgetMs: WARM_UP_SHARE * budgetMs, countMin: 1 });
  const durationsMs = repeat(run, reset, { budgetMs, countMin: COUNT_MIN });
  return medianOf(durationsMs);
}

/** The middle one of `values`, or the mean of the two in the middle. There is one at least. */
export function medianOf(values: readonly number[]): number {
  assert(values.length > 0, 'a median of something');
  const sorted = values.toSorted((left, right) => left - right);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

function repeat(
  run: () => void,
  reset: (() => void) | undefined,
  { budgetMs, countMin }: { readonly budgetMs: number; readonly countMin: number },
): number[] {
  const endMs = performance.now() + budgetMs;
  const durationsMs: number[] = [];
  do {
    const startMs = performance.now();
    run();
    durationsMs.push(performance.now() - startMs);
    reset?.();
  } while (durationsMs.length < countMin || (durationsMs.length < COUNT_MAX && performance.now() < endMs));
  return durationsMs;
}
